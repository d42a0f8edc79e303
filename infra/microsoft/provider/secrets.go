package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"handoff/domain/connection"
	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/microsoft/entra"
	"handoff/infra/microsoft/entra/guid"
)

// secretWarning is how long before its end a secret is spoken of.
const secretWarning = 30 * 24 * time.Hour

// secrets looks how long the secrets in the store are good. Who may not look at
// an application is not told when its secret ends.
func (l *look) secrets(ctx context.Context) error {
	graph, err := l.graph(ctx, l.c)
	if err != nil {
		return nil //nolint:nilerr // credentials were looked at before
	}
	o := l.c.Omnichannel
	for _, s := range []struct{ which, application, renew string }{
		{connection.SecretClient, o.ClientID, "Make a new one in Entra ID (Azure AD), under Certificates and secrets, and connect again with it (client_secret_file)."},
		{connection.SecretApplication, l.seen.ApplicationID, "Renew it: handoff connections rotate-application-secret " + l.c.ID + "; or make one by hand and connect again with it (application_secret_file)."},
	} {
		value, err := l.o.Secrets.Secret(ctx, l.c.Tenant, connection.SecretName(l.c.ID, s.which))
		if err != nil || s.application == "" || s.which == connection.SecretApplication && o.Path != events.PathRelay {
			continue
		}
		if ends := ending(ctx, graph, guid.ID(s.application), entra.Secret(value)); !ends.IsZero() && ends.Sub(l.o.Now()) < secretWarning {
			l.find("secret-expires", false, fmt.Sprintf("The secret of application %s is good until %s only. %s", s.application, ends.UTC().Format(time.DateOnly), s.renew))
		}
	}
	return nil
}

// ending returns when a secret of an application ends; the zero time where that
// can't be seen.
func ending(ctx context.Context, graph *entra.Graph, application guid.ID, secret entra.Secret) (ends time.Time) {
	app, found, err := graph.FindApplication(ctx, application)
	if err != nil || !found {
		return ends
	}
	all, err := graph.Passwords(ctx, app.ObjectID)
	if err != nil {
		return ends
	}
	for _, p := range all {
		if p.Begins(secret) && p.Ends.After(ends) {
			ends = p.Ends
		}
	}
	return ends
}

// RotateSecret gives the connection's application id a new secret: it is made,
// stored once the login service takes it, and the ones that Handoff made before
// are removed. One that a person made stays. A crash on the way leaves a secret
// behind that the next rotation, or the disconnect, removes: all that Handoff
// makes are named after the connection.
func (p *Provider) RotateSecret(ctx context.Context, c connection.State) (*events.ApplicationSecretRotated, error) {
	if c.Omnichannel == nil || c.Omnichannel.Path != events.PathRelay || c.ApplicationID == "" {
		return nil, fault.New(fault.Conflict, "application-secret-unused", "The connection has no application id of its own, so there is no secret to renew.")
	}
	graph, err := p.graph(ctx, c)
	if err != nil {
		return nil, err
	}
	app, _, err := graph.EnsureApplication(ctx, entra.Wish{AppID: guid.ID(c.ApplicationID)})
	if err != nil {
		return nil, err
	}
	made, err := graph.AddPassword(ctx, app.ObjectID, applicationName(c), p.o.Now().Add(secretLife))
	if err != nil {
		return nil, err
	}
	if err := p.adopt(ctx, c, made); err != nil {
		return nil, errors.Join(err, graph.RemovePassword(ctx, app.ObjectID, made.KeyID))
	}
	if _, err := p.removeOwn(ctx, graph, c, app.ObjectID, made.KeyID); err != nil {
		return nil, err
	}
	return &events.ApplicationSecretRotated{ApplicationID: c.ApplicationID, KeyID: string(made.KeyID), Ends: made.Ends.UTC()}, nil
}

// adopt stores a new secret once it works.
func (p *Provider) adopt(ctx context.Context, c connection.State, made entra.Password) error {
	tokens, err := p.source(entra.Credentials{Tenant: c.TokenTenant, ClientID: c.ApplicationID, Secret: made.Secret}, entra.ScopeBotFramework)
	if err != nil {
		return err
	}
	if err := tokens.Await(ctx); err != nil {
		return err
	}
	err = p.o.Secrets.PutSecret(ctx, c.Tenant, connection.SecretName(c.ID, connection.SecretApplication), []byte(made.Secret))
	if err != nil {
		return fmt.Errorf("keep the secret of application %s: %w", c.ApplicationID, err)
	}
	return nil
}

// removeOwn removes the secrets that Handoff made for a connection, but for one.
func (p *Provider) removeOwn(ctx context.Context, graph *entra.Graph, c connection.State, object, but guid.ID) (removed int, err error) {
	all, err := graph.Passwords(ctx, object)
	if err != nil {
		return 0, err
	}
	for _, known := range all {
		if known.Name != applicationName(c) || known.KeyID == but {
			continue
		}
		if err := graph.RemovePassword(ctx, object, known.KeyID); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// ForgetSecrets removes the secrets that Handoff made for the application id of a
// connection that was disconnected, and then takes all of its secrets out of the
// store. What can't be removed is left to a person, whom the fact tells so; what
// is worth another try is an error, and the secrets stay until then.
func (p *Provider) ForgetSecrets(ctx context.Context, c connection.State) (*events.HubSecretsForgotten, error) {
	if c.Omnichannel == nil {
		return nil, nil
	}
	f := new(events.HubSecretsForgotten)
	removed, err := p.removeAll(ctx, c)
	f.Removed = removed
	switch refused := fault.Of(err); {
	case err == nil:
	case refused == nil || !refused.Kind.Permanent():
		return nil, err
	default:
		f.Code = refused.Code
		f.Detail = fmt.Sprintf("Remove the secrets named %q of application %s in Entra ID (Azure AD), under Certificates and secrets: Handoff could not. %s", applicationName(c), c.ApplicationID, refused.Detail)
	}
	for _, which := range []string{connection.SecretApplication, connection.SecretDirectLine, connection.SecretClient} {
		err := p.o.Secrets.DeleteSecret(ctx, c.Tenant, connection.SecretName(c.ID, which))
		if err != nil && !fault.Is(err, "secret-not-found") {
			return nil, fmt.Errorf("forget the %s secret of connection %s: %w", which, c.ID, err)
		}
	}
	return f, nil
}

// removeAll removes every secret that Handoff made for the connection. Without
// the right to look at the application it has made none.
func (p *Provider) removeAll(ctx context.Context, c connection.State) (removed int, err error) {
	if c.Omnichannel.Path != events.PathRelay || c.ApplicationID == "" {
		return 0, nil
	}
	graph, err := p.graph(ctx, c)
	if fault.Is(err, "client-secret-missing") {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	app, found, err := graph.FindApplication(ctx, guid.ID(c.ApplicationID))
	if fault.Is(err, "graph-permission-missing") || err == nil && !found {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return p.removeOwn(ctx, graph, c, app.ObjectID, "")
}
