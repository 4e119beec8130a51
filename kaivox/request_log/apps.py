from django.apps import AppConfig


class RequestLogConfig(AppConfig):
    name = "kaivox.request_log"
    label = "request_log"
    verbose_name = "Request log"
