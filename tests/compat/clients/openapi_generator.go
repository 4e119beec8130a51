// Uses the client that openapi-generator makes for Go. Arguments: base URL, API key.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"sort"

	kaivox "github.com/GIT_USER_ID/GIT_REPO_ID"
)

type failure struct {
	Status int      `json:"status"`
	Code   string   `json:"code"`
	Fields []string `json:"fields"`
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func failureOf(response *http.Response, err error) failure {
	var failed *kaivox.GenericOpenAPIError
	if !errors.As(err, &failed) {
		panic(err)
	}
	body := failed.Model().(kaivox.ErrorResponse)
	fields := []string{}
	for field := range body.Errors {
		fields = append(fields, field)
	}
	sort.Strings(fields)
	return failure{response.StatusCode, body.Code, fields}
}

func main() {
	ctx := context.WithValue(context.Background(), kaivox.ContextAccessToken, os.Args[2])
	configuration := kaivox.NewConfiguration()
	configuration.Servers = kaivox.ServerConfigurations{{URL: os.Args[1]}}
	client := kaivox.NewAPIClient(configuration)

	page, _, err := client.CustomersAPI.ListCustomers(ctx).PerPage(5).Execute()
	check(err)
	before := page.Meta.GetTotal()

	asha := kaivox.NewCustomerCreate("Asha Rao")
	asha.SetPhone("+919876543210")
	asha.SetMetadata(map[string]string{"crm": "C-1"})
	made, _, err := client.CustomersAPI.CreateCustomer(ctx).CustomerCreate(*asha).IdempotencyKey("go-1").Execute()
	check(err)

	services, _, err := client.ServicesAPI.ListServices(ctx).Execute()
	check(err)
	service := services.Data[0].Id
	slots, _, err := client.AppointmentsAPI.ListSlots(ctx).ServiceId(service).Execute()
	check(err)
	start := slots.Meta.NextAvailable.Get().GetStartTime()
	if len(slots.Data) > 0 {
		start = slots.Data[0].StartTime
	}
	booking := kaivox.NewAppointmentCreate(made.Data.Id, service)
	booking.SetStartTime(start)
	booked, _, err := client.AppointmentsAPI.CreateAppointment(ctx).AppointmentCreate(*booking).Execute()
	check(err)

	page, _, err = client.CustomersAPI.ListCustomers(ctx).Execute()
	check(err)
	_, notFound, missing := client.CustomersAPI.GetCustomer(ctx, 999999).Execute()
	_, refused, invalid := client.CustomersAPI.CreateCustomer(ctx).CustomerCreate(*kaivox.NewCustomerCreate("Ravi")).Execute()
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"before":  before,
		"listed":  len(page.Data) == 1 && page.Data[0].Id == made.Data.Id,
		"made":    []any{made.Data.Name, made.Data.Phone.Get(), made.Data.Segment, made.Data.Metadata, made.Data.LastVisitAt.Get()},
		"booked":  []any{booked.Data.Status, booked.Data.Price, booked.Data.StartTime.Equal(start)},
		"missing": failureOf(notFound, missing),
		"invalid": failureOf(refused, invalid),
	}))
}
