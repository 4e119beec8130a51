"""URLs at which voice providers call tools. Included before `calls.provider_urls`: Vapi has one URL for both."""

from django.urls import re_path

from kaivox.agents.voice_views import ToolsView, VapiView

urlpatterns = [
    re_path(r"^vapi/(?P<slug>[^/]+)/?$", VapiView.as_view(), name="voice-vapi"),
    re_path(
        r"^(?P<provider>\w+)/(?P<slug>[^/]+)/tools(?:/(?P<tool>\w+))?/?$",
        ToolsView.as_view(),
        name="voice-tools",
    ),
]
