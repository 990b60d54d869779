"""How many examples Hypothesis tries: few on a developer's machine, all of them in CI."""

from typing import Final

from hypothesis import HealthCheck, settings

LARGE: Final = 100
SMALL: Final = 25


def load(*, ci: bool) -> None:
    """Register the profiles `small` and `large`, and load `large` in CI, else `small`.

    `--hypothesis-profile` chooses another one. Both have no time limit, since how long an example
    takes depends on what else the machine does.
    """
    for name, examples in (("small", SMALL), ("large", LARGE)):
        settings.register_profile(
            name,
            max_examples=examples,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
    settings.load_profile("large" if ci else "small")


def examples(count: int) -> settings:
    """Return settings that try `count` examples in `large`, and a quarter of them in `small`."""
    return settings(max_examples=count * settings().max_examples // LARGE)
