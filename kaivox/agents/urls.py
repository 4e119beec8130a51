from django.urls import re_path

from kaivox.agents.views import ToolDefinitions

urlpatterns = [re_path(r"^agents/tools/?$", ToolDefinitions.as_view(), name="agent-tools")]
