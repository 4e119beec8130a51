"""Pages for people: the developers's page and the docs."""

urlpatterns: list[object] = []
