from appointments.views import AppointmentViewSet, HoldViewSet
from kaivox.api.routers import Router

router = Router()
# First, or "holds" would be read as the id of an appointment.
router.register("appointments/holds", HoldViewSet, basename="hold")
router.register("appointments", AppointmentViewSet, basename="appointment")
urlpatterns = router.urls
