"""Import path that released migrations use; the field is in `staff.minute_of_day`."""

from staff.minute_of_day import MinuteOfDayField

__all__ = ["MinuteOfDayField"]
