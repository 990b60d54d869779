"""What a page of the console receives and returns: visits, answers, problems, texts, times.

A page is a folder in `consumers.console.pages` that exports `PAGE`, a `ConsolePage`: its name,
which is its path, and its routes. A handler is `async def f(visit: ConsoleVisit) -> PageAnswer`.
It is called only for someone who has the role of the route for an account or more; it selects by
`visit.viewer.accounts` in its queries (None is every account), and raises one of `web.problems`
(`NotThere`, `NotPermitted`, `WrongInput`) if it cannot answer.

* Reading: `async with visit.reading("ledger") as connection`: read-only, with time-outs, of the
  reader's URL. Acting: `async with visit.acting("ledger") as engine`.
* Answers: `Html(template, values, command)`, `Redirect(path)`, `Download(name, kind, chunks)`. The
  layout shows `command`, which `router.terminal.typed` writes.
* Lists: `consumers.console.listing.Listing`; actions: `consumers.console.acting.ConsoleAction`.
* Templates extend `layout.html`, set the blocks `title` and `main`, and have `t(key, **values)`,
  `n(key, number)`, `when(moment)`, `personal(text)`, `here(**changes)`, `visit`, `csrf`.
* Texts: `texts/LANGUAGE/PAGE.toml`; its keys begin with the name of the file.
"""
