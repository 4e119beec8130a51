"""Where the pages for people are."""

from django.templatetags.static import static
from django.urls import path, re_path
from django.views.generic import RedirectView

from kaivox.pages import developers, sessions


class Favicon(RedirectView):
    """Browsers ask for it on pages that are not ours to link from, such as a JSON answer."""

    def get_redirect_url(self, *args: object, **kwargs: object) -> str:
        return static("kaivox/favicon.svg")


urlpatterns = [
    path("", developers.home, name="developers"),
    path("index.md", developers.home_text),
    path("llms.txt", developers.llms),
    path("status", developers.status, name="status"),
    path("docs", developers.docs_index, name="docs"),
    re_path(r"^docs/(?P<slug>[a-z0-9_/-]+)\.md$", developers.doc_text),
    re_path(r"^docs/(?P<slug>[a-z0-9_/-]+?)/?$", developers.doc, name="doc"),
    path("docs/", developers.docs_index),
    path("session/key", sessions.use_key, name="use-key"),
    path("session/key/forget", sessions.drop_key, name="drop-key"),
    path("session/business", sessions.act_as, name="act-as"),
    path("favicon.ico", Favicon.as_view()),
]
