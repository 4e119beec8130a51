"""URLs of appointments, holds, series, visits, staff out and the waiting list."""

from appointments.series.views import SeriesViewSet
from appointments.staff_out.views import StaffOutViewSet
from appointments.views import AppointmentViewSet, HoldViewSet
from appointments.visits.views import VisitViewSet
from appointments.waitlist.views import WaitlistViewSet
from kaivox.api.routers import Router

router = Router()
# Before the appointments, whose pattern would match "holds" and "series" as an id.
router.register("appointments/holds", HoldViewSet, basename="hold")
router.register("appointments/series", SeriesViewSet, basename="series")
router.register("appointments", AppointmentViewSet, basename="appointment")
router.register("visits", VisitViewSet, basename="visit")
router.register("waitlist", WaitlistViewSet, basename="waitlist")
router.register("staff", StaffOutViewSet, basename="staff-out")
urlpatterns = router.urls
