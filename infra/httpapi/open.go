package httpapi

import (
	_ "embed"
	"net/http"

	"handoff/domain/emission"
	"handoff/domain/fault"
	"handoff/domain/identity"
)

//go:embed openapi.yaml
var openAPI []byte

// Document returns the OpenAPI document, which is YAML.
func Document() []byte { return append([]byte(nil), openAPI...) }

func (s *server) document(x *exchange, _ *http.Request) error {
	x.body(http.StatusOK, mediaYAML, openAPI)
	return nil
}

// mediaSchema is the media type of a JSON Schema (draft 2020-12, §14.1).
const mediaSchema = "application/schema+json"

// schema serves what the dataschema of an emitted event points at.
func (s *server) schema(x *exchange, r *http.Request) error {
	b, ok := emission.Schema("/schemas/" + r.PathValue("schema"))
	if !ok {
		return notFound()
	}
	x.body(http.StatusOK, mediaSchema, b)
	return nil
}

// Health is the answer of /healthz.
type Health struct {
	Status string `json:"status"`
}

func (s *server) healthy(x *exchange, r *http.Request) error {
	if err := s.api.Healthy(r.Context()); err != nil {
		return fault.New(fault.Unavailable, "unhealthy", "The server can't do its work just now; its log says why.").Because(err)
	}
	return x.json(http.StatusOK, Health{Status: "ok"})
}

// Version is the answer of /v1/version.
type Version struct {
	Version string `json:"version"`
}

func (s *server) version(x *exchange, _ *http.Request) error {
	return x.json(http.StatusOK, Version{Version: s.Version})
}

// Caller says whom a key belongs to.
type Caller struct {
	ID         string        `json:"id"`
	Tenant     string        `json:"tenant"`
	Role       identity.Role `json:"role"`
	Connection string        `json:"connection_id,omitempty"`
	Name       string        `json:"name,omitempty"`
}

func (s *server) whoami(x *exchange, _ *http.Request) error {
	by := x.by
	return x.json(http.StatusOK, Caller{ID: by.ID, Tenant: by.Tenant, Role: by.Role, Connection: by.Connection, Name: by.Name})
}
