import re

import httpx
import pytest

from streamrec.lookup.routes import OPERATIONS
from streamrec.lookup.service import DEGRADED

pytestmark = pytest.mark.anyio


async def test_the_page_names_every_operation_parameter_and_reason(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    for operation in OPERATIONS:
        assert f'id="{operation.name}"' in page
        assert operation.path in page
        for field in operation.query.__struct_fields__ if operation.query else ():
            assert f"<code>{field}</code>" in page
    for reason in DEGRADED:
        assert reason in page


async def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script(client: httpx.AsyncClient) -> None:
    response = await client.get("/docs")
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.search(r"<(script|link|img|iframe)|https?://|@import|url\(", response.text)


async def test_every_link_within_the_page_leads_somewhere(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    targets = re.findall(r'id="([^"]+)"', page)
    assert len(targets) == len(set(targets))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(targets)


async def test_tags_are_closed(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    for tag in ("table", "tr", "td", "th", "h1", "h2", "h3", "pre", "code", "p", "ul", "li", "details", "summary", "a"):
        assert len(re.findall(rf"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag
