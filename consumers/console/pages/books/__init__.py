"""Books: balances, statement, month, one transaction; orders and stock; messages."""

from consumers.console.acting.routes import action_routes
from consumers.console.listing.routes import listing_routes
from consumers.console.pages.books.balances import BALANCES
from consumers.console.pages.books.message import show_message
from consumers.console.pages.books.messages import MESSAGES
from consumers.console.pages.books.month import MONTH
from consumers.console.pages.books.order import show_order
from consumers.console.pages.books.orders import ORDERS
from consumers.console.pages.books.resending import RESEND
from consumers.console.pages.books.statement import STATEMENT
from consumers.console.pages.books.stock import STOCK
from consumers.console.pages.books.transaction import show_transaction
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage(
    "books",
    (
        *listing_routes(BALANCES),
        *listing_routes(STATEMENT, "/statement"),
        *listing_routes(MONTH, "/month"),
        *listing_routes(ORDERS, "/orders"),
        *listing_routes(STOCK, "/stock"),
        *listing_routes(MESSAGES, "/messages"),
        PageRoute("/transaction/{number}", show_transaction),
        PageRoute("/order", show_order),
        PageRoute("/message/{id}", show_message),
        *action_routes(RESEND),
    ),
)
