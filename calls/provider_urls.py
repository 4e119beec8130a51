"""URLs to which voice providers send messages about calls."""

from django.urls import re_path

from calls.provider_views import EngineView, VoiceView

# Any slug is accepted: one that no business can have gets the response to a wrong signature, as an
# unknown one does.
urlpatterns = [
    re_path(r"^kaivox/(?P<slug>[^/]+)/?$", EngineView.as_view(), name="voice-engine"),
    re_path(r"^(?P<provider>\w+)/(?P<slug>[^/]+)/?$", VoiceView.as_view(), name="voice"),
]
