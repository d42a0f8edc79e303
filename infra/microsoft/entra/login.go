package entra

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"handoff/domain/fault"
	"handoff/infra/microsoft/entra/controlplane"
)

func normalDomain(pasted string) string {
	return strings.ToLower(strings.Trim(strings.TrimSpace(pasted), "/."))
}

func loginAPI() controlplane.API {
	return controlplane.API{Name: "Microsoft Entra ID", Code: "entra", Explain: explainLogin}
}

// request asks for a token (documented: OAuth 2.0 client credentials flow on
// the Microsoft identity platform, "First case"). It may be repeated.
func (s *Source) request(ctx context.Context) (token string, lifetime time.Duration, err error) {
	c := s.credentials
	a, err := s.login.Do(ctx, controlplane.Request{
		Method: http.MethodPost, Path: "/" + c.Tenant + "/oauth2/v2.0/token", Repeatable: true,
		Form: url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ClientID}, "client_secret": {string(c.Secret)}, "scope": {s.scope}},
	})
	if err != nil {
		return "", 0, err
	}
	var t struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
	}
	// Without the cause, which might repeat the token.
	if json.Unmarshal(a.Body, &t) != nil || t.AccessToken == "" || !strings.EqualFold(t.TokenType, "Bearer") || strings.ContainsAny(t.AccessToken, " \r\n") {
		return "", 0, fault.New(fault.Unavailable, "entra-unavailable", "Microsoft Entra ID answered with something that is no token; it is tried again.")
	}
	const most = 24 * 3600
	return t.AccessToken, time.Duration(min(max(t.ExpiresIn, 0), most)) * time.Second, nil
}

var aadsts = regexp.MustCompile(`^AADSTS[0-9]{1,10}`)

// explainLogin makes a fault of a refused token request. It goes by the field
// error (RFC 6749 §5.2) and shows the vendor's number, which is not to be
// programmed against (documented: Microsoft Entra authentication error codes).
// The description is left out: it names applications and tenants.
func explainLogin(r controlplane.RefusedError) error {
	var body struct {
		Error         string `json:"error"`
		Description   string `json:"error_description"`
		CorrelationID string `json:"correlation_id"`
	}
	if json.Unmarshal(r.Body, &body) != nil || !errorWord.MatchString(body.Error) {
		body.Error = ""
	}
	number := aadsts.FindString(body.Description)
	if number == "" {
		number = "no number"
	}
	r.Code, r.Message, r.Body = body.Error, "", nil
	if r.RequestID == "" && len(body.CorrelationID) <= 64 {
		r.RequestID = body.CorrelationID
	}
	return loginFault(r.Status, body.Error, number).Because(&r)
}

var errorWord = regexp.MustCompile(`^[a-z_]{1,40}$`)

func loginFault(status int, word, number string) *fault.Error {
	switch {
	case status == http.StatusTooManyRequests:
		return fault.New(fault.Unavailable, "entra-throttled", "Microsoft Entra ID takes no more requests for now; it is tried again.")
	case status >= http.StatusInternalServerError, word == "temporarily_unavailable":
		return fault.Newf(fault.Unavailable, "entra-unavailable", "Microsoft Entra ID fails for now (%d); it is tried again.", status)
	case word == "invalid_client":
		return fault.Newf(fault.Unprocessable, "entra-secret-refused",
			"Microsoft Entra ID does not take the application's secret (%s): it is wrong or has expired. Make a new one (App registrations, the application, Certificates & secrets) and give its value.", number)
	case word == "unauthorized_client":
		return fault.Newf(fault.Unprocessable, "entra-application-unknown",
			"Microsoft Entra ID knows no such application in this tenant (%s). Compare the application's id and the tenant's with the overview page of the app registration.", number)
	case word == "invalid_resource", word == "invalid_scope":
		return fault.Newf(fault.Unprocessable, "entra-resource-unknown",
			"Microsoft Entra ID gives this tenant no tokens for the service that is to be called (%s). Is the address of the organisation right, and of the same tenant?", number)
	case word == "invalid_request":
		return fault.Newf(fault.Unprocessable, "entra-tenant-unknown",
			"Microsoft Entra ID can't do anything with the request (%s): most often there is no such tenant. Check the tenant's id.", number)
	}
	return fault.Newf(fault.Unprocessable, "entra-token-refused", "Microsoft Entra ID refuses a token (%s, %d).", number, status)
}
