package contract_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/botservice/armbotservice"

	"handoff/infra/microsoft/simulation"
	"handoff/tests/hubtest"
)

// The vendor's types pass over members that they do not know, so an answer is
// read into them and written again: what is lost on the way is none of the API.
func TestOurAnswersHaveTheVendorsMembersOnly(t *testing.T) {
	t.Parallel()
	b := hubtest.Start(t, simulation.Connected, func(c *simulation.Config) { c.Bots[0].Channels = append(c.Bots[0].Channels, "Omnichannel") })
	const at = "/subscriptions/" + simulation.SubscriptionID + "/resourceGroups/" + group + "/providers/Microsoft.BotService/botServices/" + name
	for path, into := range map[string]any{
		"":                         new(armbotservice.Bot),
		"/channels":                new(armbotservice.ChannelResponseList),
		"/channels/MsTeamsChannel": new(armbotservice.BotChannel),
		"/channels/Omnichannel":    new(armbotservice.BotChannel),
	} {
		a := b.Do(hubtest.Request{
			Method: http.MethodGet, URL: b.URLs.Azure + at + path + "?api-version=" + apiVersion, Token: b.Installer("https://management.azure.com"),
		})
		b.Want(a, http.StatusOK, "")
		kept(t, a, into)
	}
	refusal := b.Do(hubtest.Request{
		Method: http.MethodGet, URL: b.URLs.Azure + at + "x?api-version=" + apiVersion, Token: b.Installer("https://management.azure.com"),
	})
	kept(t, refusal, new(armbotservice.Error))
}

// kept fails the test unless an answer is the same after the vendor's type has
// read it. What is null says nothing.
func kept(t *testing.T, a hubtest.Answer, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(a.Text))
	if err := d.Decode(into); err != nil {
		t.Fatalf("the vendor can't read %s: %v", a.Text, err)
	}
	text, err := json.Marshal(into)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if want := withoutNulls(a.Body); !reflect.DeepEqual(got, want) {
		t.Errorf("the vendor reads\n%s\nof\n%s", text, a.Text)
	}
}

func withoutNulls(v any) any {
	switch at := v.(type) {
	case map[string]any:
		kept := make(map[string]any, len(at))
		for name, member := range at {
			if member != nil {
				kept[name] = withoutNulls(member)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(at))
		for i, element := range at {
			kept[i] = withoutNulls(element)
		}
		return kept
	}
	return v
}
