"""Forms that pages and mail programs post: a few fields, urlencoded or multipart (RFC 8058 allows both)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from orchestrator.http.problems import HttpRefusal
from orchestrator.http.raw_body import read_body

LARGEST_FORM: Final = 64 * 1024
_MOST_FIELDS: Final = 500


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields by name, the last of each; what is no form has none. Raises HttpRefusal beyond LARGEST_FORM."""
    body = await read_body(request, LARGEST_FORM)
    request._body = body  # read and bounded; the parser below takes it from here
    try:
        form: FormData = await request.form(max_files=0, max_fields=_MOST_FIELDS, max_part_size=LARGEST_FORM)
    except (MultiPartException, HTTPException, ValueError, AssertionError):
        raise HttpRefusal(400, "bad_form", "the form cannot be read") from None
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}
