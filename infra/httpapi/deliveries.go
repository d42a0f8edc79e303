package httpapi

import (
	"net/http"

	"handoff/domain/listing"
)

func (s *server) deliveries(x *exchange, r *http.Request) error {
	query := r.URL.Query()
	page, err := pageOf(query)
	if err != nil {
		return err
	}
	status, err := oneOf(query, "status", "pending", "delivered", "parked")
	if err != nil {
		return err
	}
	conn, err := within(x.by, query.Get("connection"))
	if err != nil {
		return err
	}
	rows, next, err := s.api.Deliveries(r.Context(), x.by, listing.DeliveryQuery{
		Page: page, Tenant: x.by.Tenant, Connection: conn, Status: status, Escalation: query.Get("escalation"),
	})
	if err != nil {
		return err
	}
	return writePage(s, x, r, rows, next)
}

// DeliveryDetail is a delivery with the facts about it, each attempt among
// them.
type DeliveryDetail struct {
	listing.Delivery

	Facts []StoredFact `json:"facts"`
}

func (s *server) delivery(x *exchange, r *http.Request) error {
	d, records, err := s.api.Delivery(r.Context(), x.by, r.PathValue("delivery"))
	if err != nil {
		return err
	}
	facts := make([]StoredFact, len(records))
	for i, rec := range records {
		facts[i] = StoredFactOf(rec, false)
	}
	return x.json(http.StatusOK, DeliveryDetail{Delivery: d, Facts: facts})
}

func (s *server) resend(x *exchange, r *http.Request) error {
	d, err := s.api.Resend(r.Context(), x.by, r.PathValue("delivery"))
	if err != nil {
		return err
	}
	return x.json(http.StatusAccepted, d)
}
