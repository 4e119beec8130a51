"""URLs of members of staff, closures and calendars of busy times."""

from kaivox.api.routers import Router
from staff.calendar_views import BusyCalendarViewSet
from staff.views import ClosureViewSet, StaffViewSet

router = Router()
router.register("staff", StaffViewSet, basename="staff")
router.register("closures", ClosureViewSet, basename="closure")
router.register("calendars", BusyCalendarViewSet, basename="calendar")
urlpatterns = router.urls
