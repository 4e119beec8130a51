"""The developers' page and the docs. None of these tests has a database: the pages need none."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from kaivox import server_refusals
from kaivox.api.exceptions import _CODE_OF
from kaivox.pages.articles import articles
from kaivox.pages.openapi import operations
from kaivox.pages.samples import samples

SIXTEEN = """
GET /api/v1/appointments · POST /api/v1/appointments · GET /api/v1/appointments/{id} ·
PATCH /api/v1/appointments/{id} · DELETE /api/v1/appointments/{id} · GET /api/v1/appointments/slots ·
GET /api/v1/customers · POST /api/v1/customers · GET /api/v1/customers/{id} ·
PATCH /api/v1/customers/{id} · GET /api/v1/calls · GET /api/v1/calls/{id} · GET /api/v1/staff ·
GET /api/v1/staff/{id} · GET /api/v1/services · GET /api/v1/services/{id}
"""
TODAY = date(2026, 11, 25)
PAGES = ["/", "/docs", *(article.url for article in articles())]
_ANSWERS = ("error_body", "error_response")
_HREF = re.compile(r'href="(/[^"]*|#[^"]*)"')


@pytest.fixture
def anyone() -> Client:
    return Client()


class TestDevelopersPage:
    def test_is_complete_and_small(self, anyone):
        answer = anyone.get("/")
        page = answer.content.decode()
        for line in re.split(r"\s·\s", SIXTEEN.strip()):
            method, path = line.split()
            assert f"{method}</span> <code>{path}</code>" in page
        for words in ("X-API-Key", "Authorization: Bearer", "?api_key=", "5,000", "call.missed"):
            assert words in page
        static = Path(settings.STATICFILES_DIRS[0]) / "kaivox"
        loaded = sum(
            (static / name).stat().st_size for name in ("kaivox.css", "site.js", "theme.js")
        )
        assert len(answer.content) + loaded < 150_000

    def test_has_a_call_to_copy_for_every_operation(self, anyone):
        page = anyone.get("/").content.decode()
        assert page.count("<h4>curl</h4>") == len(list(operations()))

    def test_is_also_there_as_markdown(self, anyone):
        answer = anyone.get("/index.md")
        assert answer["Content-Type"].startswith("text/markdown")
        assert "GET /api/v1/appointments/slots" in answer.content.decode()

    @pytest.mark.parametrize("path", PAGES)
    def test_leads_nowhere_wrong(self, anyone, path):
        page = anyone.get(path).content.decode()
        for href in {found.replace("&amp;", "&") for found in _HREF.findall(page)}:
            target, _, anchor = href.partition("#")
            if target.startswith(("/settings", "/admin/", "/api/", "/static/", "/status")):
                continue
            answer = anyone.get(target) if target else anyone.get(path)
            assert answer.status_code == 200, f"{path} links to {href}"
            assert not anchor or f'id="{anchor}"' in answer.content.decode(), f"{path}: {href}"

    def test_runs_nothing_that_stands_in_the_page(self, anyone):
        answer = anyone.get("/")
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=", answer.content.decode())


class TestSamples:
    def test_are_code(self):
        for operation in operations():
            found = samples(operation, "http://127.0.0.1:8000", TODAY)
            words = shlex.split(found["curl"])
            assert words[0] == "curl"
            assert any(word.startswith("http://127.0.0.1:8000/") for word in words)
            assert not any("{" in word for word in words if word != words[-1])
            ast.parse(found["Python"])

    def test_name_only_fields_that_there_are(self):
        from kaivox.pages.samples import _SHOWN

        known = {(item.method, item.path): {f.name for f in item.body} for item in operations()}
        for key, names in _SHOWN.items():
            assert set(names) <= known[key]


class TestDocs:
    @pytest.mark.parametrize("article", articles(), ids=lambda item: item.slug)
    def test_every_page_is_html_and_markdown(self, anyone, article):
        page = anyone.get(article.url)
        assert page.status_code == 200
        assert article.title in page.content.decode().replace("&#x27;", "'")
        assert anyone.get(article.url + "/").status_code == 200
        assert anyone.get(article.url + ".md").content.decode() == article.text

    def test_an_article_has_a_title_and_a_summary(self):
        assert all(article.title and article.summary for article in articles())

    @pytest.mark.parametrize("slug", ("nothing", "../settings", "decisions/0001", "errors.md.md"))
    def test_nothing_else_is_shown(self, anyone, slug):
        assert anyone.get(f"/docs/{slug}").status_code == 404

    def test_llms_txt_lists_every_page(self, anyone):
        text = anyone.get("/llms.txt").content.decode()
        assert text.startswith("# KaiVox API\n\n> ")
        assert all(f"{article.url}.md" in text for article in articles())

    def test_a_slash_of_decoration_changes_nothing(self, anyone):
        assert anyone.get("/docs/").content == anyone.get("/docs").content


class TestErrors:
    def test_every_code_is_documented_and_none_else(self):
        text = (settings.BASE_DIR / "docs" / "errors.md").read_text()
        documented = set(re.findall(r"^### ([a-z_]+)$", text, re.M))
        assert documented == _codes()

    def test_every_entry_says_status_cause_and_cure(self):
        text = (settings.BASE_DIR / "docs" / "errors.md").read_text()
        for entry in re.split(r"^### ", text, flags=re.M)[1:]:
            body = entry.partition("\n")[2].partition("\n## ")[0].strip()
            assert re.match(r"\*\*[45]\d\d\.\*\* ", body), entry
            assert body.count(".") >= 3, entry


def _codes() -> set[str]:
    """Every code that an answer can have, read from the code: classes of refusals, answers written
    in place, REST framework's refusals under our names, and what the web servers say by themselves."""
    written = {str(code) for tree in _trees() for code in _in(tree)}
    nginx = (settings.BASE_DIR / "deploy" / "nginx.conf").read_text()
    return (
        {code for code in written if re.fullmatch("[a-z_]+", code)}
        | set(_CODE_OF.values())
        | {code for code, _ in server_refusals._TOLD.values()}
        | set(re.findall(r'"code":"([a-z_]+)"', nginx))
    )


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
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in _ANSWERS:
            for argument in node.args[:2]:
                if isinstance(argument, ast.Constant):
                    yield argument.value
