"""The developers' page and the docs. None of these tests has a database: the pages need none."""

from __future__ import annotations

import ast
import html
import re
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.test import Client
from rest_framework.exceptions import APIException

from kaivox.api.exceptions import _CODE_OF, STATUS_OF
from kaivox.businesses.models import Plan
from kaivox.errors import DomainError
from kaivox.pages.docs.articles import articles, find_article, plain
from kaivox.pages.docs.samples import samples
from kaivox.pages.openapi_reader import operations
from kaivox.server import error_bodies
from ratelimits.throttling import QUOTAS

pytestmark = pytest.mark.once

SIXTEEN = """
GET /api/v1/appointments · POST /api/v1/appointments · GET /api/v1/appointments/{id} ·
PATCH /api/v1/appointments/{id} · DELETE /api/v1/appointments/{id} · GET /api/v1/appointments/slots ·
GET /api/v1/customers · POST /api/v1/customers · GET /api/v1/customers/{id} ·
PATCH /api/v1/customers/{id} · GET /api/v1/calls · GET /api/v1/calls/{id} · GET /api/v1/staff ·
GET /api/v1/staff/{id} · GET /api/v1/services · GET /api/v1/services/{id}
"""
TODAY = date(2026, 11, 25)
PAGES = ["/", "/docs", *(article.url for article in articles())]
ERRORS = (settings.BASE_DIR / "docs" / "errors.md").read_text()
_RESPONSES = ("error_body", "error_response")
PATHS = [
    *sorted(settings.BASE_DIR.glob("*.md")),
    *sorted((settings.BASE_DIR / "docs").rglob("*.md")),
]
# `manage.py` of shell blocks, with continued lines joined; what follows on the line is cut off.
COMMANDS = [
    (path.name, re.split(r"\)(?:\s|$)|\s(?:\||>|<|#)\s|$", line, maxsplit=1)[0])
    for path in PATHS
    for block in re.findall(r"```(?:sh|bash)\n(.*?)```", path.read_text(), re.S)
    for line in block.replace("\\\n", " ").splitlines()
    if "manage.py " in line
]
OWN_PYTHON = (
    "README.md", "CONTRIBUTING.md", "docs/quickstart.md", "docs/recipes.md", "docs/go-live.md",
    "docs/recipes/emr.md", "docs/recipes/booking-software.md", "docs/recipes/notifications.md",
    "docs/recipes/bi.md", "docs/recipes/ai-workflows.md", "docs/recipes/front-end.md",
)  # fmt: skip
_HREF = re.compile(r'href="(/[^"]*|#[^"]*)"')


@pytest.fixture
def anyone() -> Client:
    return Client()


class TestDevelopersPage:
    def test_names_every_endpoint_and_is_small(self, anyone):
        response = anyone.get("/")
        page = response.content.decode()
        for line in re.split(r"\s·\s", SIXTEEN.strip()):
            method, path = line.split()
            assert f"{method}</span> <code>{path}</code>" in page
        for text in ("X-API-Key", "Authorization: Bearer", "?api_key=", "5,000", "call.missed"):
            assert text in page
        for text in ("signed with HMAC-SHA256", "max 3", "delivery log has every attempt"):
            assert text in page
        static = Path(settings.STATICFILES_DIRS[0]) / "kaivox"
        loaded = sum(
            (static / name).stat().st_size for name in ("kaivox.css", "site.js", "theme.js")
        )
        assert len(response.content) + loaded < 150_000

    def test_has_a_sample_for_every_operation(self, anyone):
        page = anyone.get("/").content.decode()
        signed = [operation for operation in operations() if operation.is_signed]
        assert page.count("<h4>curl</h4>") == len(list(operations())) - len(signed)

    def test_is_also_available_as_markdown(self, anyone):
        response = anyone.get("/index.md")
        assert response["Content-Type"].startswith("text/markdown")
        assert "GET /api/v1/appointments/slots" in response.content.decode()

    @pytest.mark.parametrize("path", PAGES)
    def test_every_link_works(self, anyone, path):
        page = anyone.get(path).content.decode()
        for href in {found.replace("&amp;", "&") for found in _HREF.findall(page)}:
            target, _, anchor = href.partition("#")
            if target.startswith(("/settings", "/admin/", "/api/", "/static/", "/status")):
                continue
            response = anyone.get(target) if target else anyone.get(path)
            assert response.status_code == 200, f"{path} links to {href}"
            assert not anchor or f'id="{anchor}"' in response.content.decode(), f"{path}: {href}"

    def test_has_no_inline_scripts(self, anyone):
        response = anyone.get("/")
        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=", response.content.decode())


class TestSamples:
    def test_parse(self):
        for operation in operations():
            if operation.is_signed:
                continue
            found = samples(operation, "http://127.0.0.1:8000", TODAY)
            words = shlex.split(found["curl"])
            assert words[0] == "curl"
            assert any(word.startswith("http://127.0.0.1:8000/") for word in words)
            assert not any("{" in word for word in words if word != words[-1])
            ast.parse(found["Python"])

    def test_name_only_fields_that_exist(self):
        from kaivox.pages.docs.samples import _SHOWN

        known = {(item.method, item.path): {f.name for f in item.body} for item in operations()}
        for key, names in _SHOWN.items():
            assert set(names) <= known[key]


class TestDocs:
    @pytest.mark.parametrize("article", articles(), ids=lambda item: item.slug)
    def test_every_page_is_html_and_markdown(self, anyone, article):
        page = anyone.get(article.url)
        assert page.status_code == 200
        assert article.title in page.content.decode().replace("&#x27;", "'")
        assert not re.search(r"<th[^>]*></th>", page.content.decode())
        assert anyone.get(article.url + "/").status_code == 200
        assert anyone.get(article.url + ".md").content.decode() == article.text

    @pytest.mark.parametrize("article", articles(), ids=lambda item: item.slug)
    def test_summary_is_whole_sentences(self, article):
        assert article.title
        assert re.search(r"[.:!]$", article.summary), article.summary
        assert not re.search(r"```|\]\(", article.summary)
        assert len(article.summary) < 400

    @pytest.mark.parametrize("article", articles(), ids=lambda article: article.slug)
    def test_summary_is_the_first_paragraph_and_plain_text(self, article):
        """Later paragraphs are steps of the page: "Restart n8n, and add the credential"."""
        first = article.text.split("\n\n")[1]
        assert not first.startswith(("#", "|", "```", "<")), "Begin the page with what it is about."
        assert plain(first.replace("\n", " ")).strip() == article.summary
        assert not set("`*[") & set(article.summary.replace("kaivox[cli]", ""))

    def test_pages_lead_to_the_previous_and_the_next(self, anyone):
        first, second, *_ = articles()
        page = anyone.get(first.url).content.decode()
        assert f'rel="next" href="{second.url}"' in page
        assert 'rel="prev"' not in page
        assert f'rel="prev" href="{first.url}"' in anyone.get(second.url).content.decode()

    def test_the_changelog_is_also_a_feed(self, anyone):
        response = anyone.get("/docs/changelog.atom")
        assert response["Content-Type"].startswith("application/atom+xml")
        feed = ElementTree.fromstring(response.content)  # noqa: S314 - our own
        page = anyone.get("/docs/changelog").content.decode()
        links = [link.get("href") for link in feed.iterfind("{*}entry/{*}link")]
        assert len(links) == find_article("changelog").text.count("\n## ")
        assert all(f'id="{link.partition("#")[2]}"' in page for link in links)
        assert 'href="/docs/changelog.atom"' in page

    @pytest.mark.parametrize("slug", ("plans", "quotas"))
    def test_quotas_of_the_plans_are_those_of_the_code(self, slug):
        rows = re.findall(r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \|$", find_article(slug).text, re.M)
        assert rows == [
            (Plan(name).label, f"{quota.per_minute:,}", f"{quota.per_day:,}")
            for name, quota in QUOTAS.items()
        ]

    def test_index_shows_every_summary_whole(self, anyone):
        page = html.unescape(anyone.get("/docs").content.decode())
        assert all(article.summary in page for article in articles())

    def test_examples_have_the_address_of_this_server(self, settings):
        settings.PUBLIC_URL = "http://127.0.0.1:8642"
        text = find_article("quickstart").text
        assert "http://127.0.0.1:8642" in text
        assert ":8000" not in text

    @pytest.mark.parametrize("slug", ("nothing", "../settings", "decisions/0001", "errors.md.md"))
    def test_nothing_else_is_shown(self, anyone, slug):
        assert anyone.get(f"/docs/{slug}").status_code == 404

    def test_llms_txt_lists_every_page(self, anyone):
        text = anyone.get("/llms.txt").content.decode()
        assert text.startswith("# KaiVox API\n\n> ")
        assert all(f"{article.url}.md" in text for article in articles())

    def test_a_slash_of_decoration_changes_nothing(self, anyone):
        assert anyone.get("/docs/").content == anyone.get("/docs").content


class TestCommands:
    """Commands of the docs exist, and their parsers accept the arguments."""

    def test_there_are_some(self):
        assert len(COMMANDS) > 5

    @pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
    def test_every_named_command_exists(self, path):
        named = set(re.findall(r"manage\.py ([a-z_]+)", path.read_text()))
        assert named <= get_commands().keys()

    @pytest.mark.parametrize(("page", "line"), COMMANDS)
    def test_manage_py_accepts_the_arguments(self, page, line):
        name, *arguments = shlex.split(line.partition("manage.py ")[2].replace("$", ""))
        if name == "makemigrations":
            return  # of an app that the reader creates
        command = load_command_class(get_commands()[name], name)
        command.create_parser("manage.py", name).parse_args(arguments)

    @pytest.mark.parametrize("page", OWN_PYTHON)
    def test_the_python_is_that_of_the_clone(self, page):
        text = (settings.BASE_DIR / page).read_text()
        code = "\n".join(
            [*re.findall(r"```(?:sh|bash)\n(.*?)```", text, re.S), *re.findall("`[^`\n]+`", text)]
        )
        assert not re.search(r"(?<!\.venv/bin/)\bpython3? ", code)


class TestErrors:
    def test_every_code_is_documented_and_none_else(self):
        assert _documented().keys() == _codes()

    def test_every_entry_has_status_cause_and_fix(self):
        for entry in re.split(r"^### ", ERRORS, flags=re.M)[1:]:
            body = entry.partition("\n")[2].partition("\n## ")[0].strip()
            body = body.partition("\n\n**Example:**")[0]
            assert re.fullmatch(r"\*\*[45]\d\d\.\*\* .+\.\n\n\*\*Fix:\*\* .+\.", body, re.S), entry

    def test_the_table_has_a_row_for_every_entry(self):
        rows = re.findall(r"^\| \[`(\w+)`\]\(#(\w+)\) \| (\d{3}) \|(?: [^|]+ \|){3}$", ERRORS, re.M)
        assert all(code == anchor for code, anchor, _ in rows)
        assert [(code, int(status)) for code, _, status in rows] == list(_documented().items())

    def test_statuses_are_those_of_the_code(self):
        documented = _documented()
        wrong = {code: status for code, status in _statuses() if documented[code] != status}
        assert not wrong, f"docs/errors.md has another status: {wrong}"


def _documented() -> dict[str, int]:
    """Code → status, as the entries say, in their order."""
    entries = re.findall(r"^### ([a-z_]+)\n\*\*(\d{3})\.", ERRORS, re.M)
    return {code: int(status) for code, status in entries}


def _codes() -> set[str]:
    """Every code that a response can have, read from the code: classes of errors, responses written
    in place, REST framework's errors under our names, and errors of the web servers themselves."""
    written = {str(code) for tree in _trees() for code in _in(tree)}
    nginx = (settings.BASE_DIR / "deploy" / "nginx.conf").read_text()
    by_status = re.search(r"map \$status \$kaivox_code \{(.*?)\}", nginx, re.S)
    assert by_status, "nginx.conf maps statuses to codes"
    return (
        {code for code in written if re.fullmatch("[a-z_]+", code)}
        | set(_CODE_OF.values())
        | {code for code, _ in error_bodies._ERRORS.values()}
        | set(re.findall(r"\s([a-z_]+);", by_status[1]))
    )


def _statuses() -> Iterator[tuple[str, int]]:
    """Code and status of every error class of ours."""
    for kind in _subclasses(DomainError):
        if "code" in vars(kind):
            yield kind.code, next(STATUS_OF[base] for base in kind.__mro__ if base in STATUS_OF)
    for kind in _subclasses(APIException):
        if "default_code" in vars(kind) and not kind.__module__.startswith("rest_framework"):
            yield kind.default_code, kind.status_code


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    import kaivox.urls  # noqa: F401 - with it every module that defines one

    for child in kind.__subclasses__():
        yield child
        yield from _subclasses(child)


def _trees() -> Iterator[ast.Module]:
    skipped = {".venv", "tests", "var", "build", "staticfiles"}
    for path in settings.BASE_DIR.glob("*/**/*.py"):
        if path.relative_to(settings.BASE_DIR).parts[0] not in skipped:
            yield ast.parse(path.read_text(encoding="utf-8"))


def _in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.bases and node.name != "DomainError":
            for line in node.body:
                names = {getattr(name, "id", "") for name in getattr(line, "targets", ())}
                if names & {"code", "default_code"}:
                    yield line.value.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in _RESPONSES:
            for argument in node.args[:2]:
                if isinstance(argument, ast.Constant):
                    yield argument.value
