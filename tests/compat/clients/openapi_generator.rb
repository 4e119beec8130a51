# Uses the client that openapi-generator makes for Ruby. Arguments: base URL, API key.
require 'json'
require 'time'
require 'uri'
require 'openapi_client'

url, key = ARGV
OpenapiClient.configure do |config|
  config.scheme = URI(url).scheme
  config.host = URI(url).host + ":#{URI(url).port}"
  config.server_index = nil
  config.api_key['X-API-Key'] = key
end
customers = OpenapiClient::CustomersApi.new
appointments = OpenapiClient::AppointmentsApi.new

def failure_of
  yield
rescue OpenapiClient::ApiError => error
  body = OpenapiClient::ErrorResponse.build_from_hash(JSON.parse(error.response_body, symbolize_names: true))
  { status: error.code, code: body.code, fields: body.errors.keys.map(&:to_s).sort }
end

before = customers.list_customers(per_page: 5).meta.total
asha = OpenapiClient::CustomerCreate.new(name: 'Asha Rao', phone: '+919876543210', metadata: { 'crm' => 'C-1' })
made = customers.create_customer(asha, idempotency_key: 'ruby-1').data
service = OpenapiClient::ServicesApi.new.list_services.data.first
slots = appointments.list_slots(service.id)
start = (slots.data.first || slots.meta.next_available).start_time
# The client writes a Time as Time#to_s does, which is not RFC 3339.
booking = OpenapiClient::AppointmentCreate.new(
  customer_id: made.id, service_id: service.id, start_time: start.iso8601
)
booked = appointments.create_appointment(booking).data

puts JSON.generate(
  before: before,
  listed: customers.list_customers.data.map(&:id) == [made.id],
  made: [made.name, made.phone, made.segment, made.metadata, made.last_visit_at],
  booked: [booked.status, booked.price, booked.start_time == start],
  missing: failure_of { customers.get_customer(999_999) },
  invalid: failure_of { customers.create_customer(OpenapiClient::CustomerCreate.new(name: 'Ravi')) }
)
