package contract_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/botservice/armbotservice"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/botservice/armbotservice/fake"
)

// fakeCloud is one Azure Bot on the vendor's fake server.
type fakeCloud struct {
	t        *testing.T
	bot      *armbotservice.Bot // nil: there is none
	channels map[armbotservice.ChannelName]armbotservice.ChannelClassification
	refusals map[string]refusal // by the name of the operation
	puts     []armbotservice.BotChannel
	patches  []armbotservice.Bot
}

type refusal struct {
	status int
	code   string
}

// operations are those of the published API that Handoff may call, by method
// and by what follows the bot's own path.
func operations() map[string]string {
	return map[string]string{
		"GET ":                         "BotsClient.Get",
		"PATCH ":                       "BotsClient.Update",
		"GET /channels/MsTeamsChannel": "ChannelsClient.Get",
		"PUT /channels/MsTeamsChannel": "ChannelsClient.Create",
		"GET /channels/Omnichannel":    "ChannelsClient.Get",
		"PUT /channels/Omnichannel":    "ChannelsClient.Create",
	}
}

// serve puts the vendor's fake, which is a transport for the vendor's client,
// behind HTTP on loopback. The fake is told by the context which operation is
// meant; that is found here by method and path, as a server would.
func (c *fakeCloud) serve() (url string) {
	transport := fake.NewServerFactoryTransport(&fake.ServerFactory{
		BotsServer:     fake.BotsServer{Get: c.getBot, Update: c.update},
		ChannelsServer: fake.ChannelsServer{Get: c.channel, Create: c.create},
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest := strings.TrimPrefix(r.URL.Path, place)
		operation := operations()[r.Method+" "+rest]
		if operation == "" || rest == r.URL.Path || r.URL.Query().Get("api-version") != apiVersion || r.Header.Get("Authorization") != "Bearer "+token {
			c.t.Errorf("%s %s is no call of the API", r.Method, r.URL)
			http.Error(w, "{}", http.StatusNotImplemented)
			return
		}
		if f, refused := c.refusals[operation]; refused {
			answer(w, f.status, `{"error":{"code":"`+f.code+`","message":"The fake refuses."}}`)
			return
		}
		resp, err := transport.Do(r.WithContext(context.WithValue(r.Context(), runtime.CtxAPINameKey{}, operation)))
		if f, ok := errors.AsType[*azcore.ResponseError](err); ok {
			answer(w, f.StatusCode, `{"error":{"code":"`+f.ErrorCode+`","message":"The vendor's fake refuses."}}`)
			return
		}
		if err != nil {
			c.t.Errorf("%s: the vendor's fake can't read the call: %v", operation, err)
			http.Error(w, "{}", http.StatusBadRequest)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	c.t.Cleanup(s.Close)
	return s.URL
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (c *fakeCloud) getBot(_ context.Context, group, name string, _ *armbotservice.BotsClientGetOptions) (resp azfake.Responder[armbotservice.BotsClientGetResponse], errResp azfake.ErrorResponder) {
	if !c.has(group, name) {
		errResp.SetResponseError(http.StatusNotFound, "ResourceNotFound")
		return resp, errResp
	}
	resp.SetResponse(http.StatusOK, armbotservice.BotsClientGetResponse{Bot: *c.bot}, nil)
	return resp, errResp
}

func (c *fakeCloud) has(group, name string) bool {
	return c.bot != nil && group == bot.ResourceGroup && name == bot.Name
}

func (c *fakeCloud) update(_ context.Context, _, _ string, b armbotservice.Bot, _ *armbotservice.BotsClientUpdateOptions) (resp azfake.Responder[armbotservice.BotsClientUpdateResponse], errResp azfake.ErrorResponder) {
	c.patches = append(c.patches, b)
	c.bot.Properties.Endpoint = b.Properties.Endpoint
	resp.SetResponse(http.StatusCreated, armbotservice.BotsClientUpdateResponse{Bot: *c.bot}, nil)
	return resp, errResp
}

func (c *fakeCloud) channel(_ context.Context, group, name, channel string, _ *armbotservice.ChannelsClientGetOptions) (resp azfake.Responder[armbotservice.ChannelsClientGetResponse], errResp azfake.ErrorResponder) {
	found := c.channels[armbotservice.ChannelName(channel)]
	if !c.has(group, name) || found == nil {
		errResp.SetResponseError(http.StatusNotFound, "ResourceNotFound")
		return resp, errResp
	}
	resp.SetResponse(http.StatusOK, armbotservice.ChannelsClientGetResponse{BotChannel: armbotservice.BotChannel{Properties: found}}, nil)
	return resp, errResp
}

func (c *fakeCloud) create(_ context.Context, _, _ string, name armbotservice.ChannelName, given armbotservice.BotChannel, _ *armbotservice.ChannelsClientCreateOptions) (resp azfake.Responder[armbotservice.ChannelsClientCreateResponse], errResp azfake.ErrorResponder) {
	c.puts = append(c.puts, given)
	c.channels[name] = given.Properties
	resp.SetResponse(http.StatusCreated, armbotservice.ChannelsClientCreateResponse{BotChannel: given}, nil)
	return resp, errResp
}
