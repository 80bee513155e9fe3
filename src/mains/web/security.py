"""The headers that every answer carries: a browser loads from this host alone, runs no inline code, shows these pages in no frame."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Sent with every answer, page or JSON."""


async def add_security_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Middleware: `app.middleware("http")(add_security_headers)`.

    Pages of a person are never kept by a shared cache; files with their hash in the address are kept for a year.
    """
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    is_hashed_file = request.url.path.startswith("/static/") and "v" in request.query_params and response.status_code == 200
    response.headers.setdefault("Cache-Control", "public, max-age=31536000, immutable" if is_hashed_file else "no-store")
    return response
