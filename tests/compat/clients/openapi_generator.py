"""Uses the client that openapi-generator makes for Python. Arguments: base URL, API key."""

import json
import sys

import openapi_client as kaivox
from openapi_client.exceptions import ApiException

url, key = sys.argv[1:]
client = kaivox.ApiClient(kaivox.Configuration(host=url, api_key={"ApiKeyHeader": key}))
customers = kaivox.CustomersApi(client)
appointments = kaivox.AppointmentsApi(client)


def error_of(call, *arguments):
    try:
        call(*arguments)
    except ApiException as error:
        return {
            "status": error.status,
            "code": error.data.code,
            "fields": sorted(error.data.errors),
        }
    return None


before = customers.list_customers(per_page=5).meta.total
asha = kaivox.CustomerCreate(name="Asha Rao", phone="+919876543210", metadata={"crm": "C-1"})
made = customers.create_customer(asha, idempotency_key="python-1").data
service = kaivox.ServicesApi(client).list_services().data[0]
slots = appointments.list_slots(service_id=service.id)
start = (slots.data or [slots.meta.next_available])[0].start_time
booking = kaivox.AppointmentCreate(customer_id=made.id, service_id=service.id, start_time=start)
booked = appointments.create_appointment(booking).data
print(
    json.dumps(
        {
            "before": before,
            "listed": [one.id for one in customers.list_customers().data] == [made.id],
            "made": [made.name, made.phone, made.segment, made.metadata, made.last_visit_at],
            "booked": [booked.status, booked.price, booked.start_time == start],
            "missing": error_of(customers.get_customer, 999_999),
            "invalid": error_of(customers.create_customer, kaivox.CustomerCreate(name="Ravi")),
        }
    )
)
