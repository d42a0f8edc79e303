package template_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// operations returns what the API's document describes: the function that has
// it, by method and path.
func operations(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "infra", "httpapi", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]yaml.Node
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for path, methods := range doc.Paths {
		for method, node := range methods {
			var op struct{ Tags []string }
			if method == "parameters" || node.Decode(&op) != nil || len(op.Tags) != 1 {
				continue
			}
			function := "Api"
			switch {
			case strings.HasPrefix(path, "/v1/messages/"):
				function = "Relay"
			case op.Tags[0] == "Intake":
				function = "Webhook"
			case op.Tags[0] == "Audit":
				function = "AuditReplay"
			}
			all[strings.ToUpper(method)+" "+path] = function
		}
	}
	return all
}

var variable = regexp.MustCompile(`\{[^/}]+\}`)

// match finds the route for a request as API Gateway does: a method before ANY,
// a route before $default (API Gateway Developer Guide, "Routing API requests").
func match(routes map[string]string, request string) string {
	method, path, _ := strings.Cut(request, " ")
	for _, m := range []string{method, "ANY"} {
		for key, target := range routes {
			verb, pattern, _ := strings.Cut(key, " ")
			if verb == m && regexp.MustCompile("^"+variable.ReplaceAllString(pattern, "[^/]+")+"$").MatchString(path) {
				return target
			}
		}
	}
	return routes["$default"]
}

func TestEveryOperationHasItsFunction(t *testing.T) {
	t.Parallel()
	d := load(t)
	routes := map[string]string{}
	for _, r := range d.of("AWS::ApiGatewayV2::Route") {
		integration := d.resources[strings.Trim(strings.TrimPrefix(word(r.Properties["Target"]), "integrations/"), "${}")]
		routes[at[string](r.Properties, "RouteKey")] = strings.TrimSuffix(word(integration.Properties["IntegrationUri"]), ".Alias")
	}
	all := operations(t)
	if len(all) < 30 {
		t.Fatalf("%d operations are not all of the API", len(all))
	}
	for request, want := range all {
		path := variable.ReplaceAllString(request, "x")
		if got := match(routes, path); got != want {
			t.Errorf("%s goes to %s, want %s", request, got, want)
		}
	}
	for key := range routes {
		if key == "$default" {
			continue
		}
		_, pattern, _ := strings.Cut(key, " ")
		used := false
		for request := range all {
			used = used || strings.HasSuffix(request, " "+pattern)
		}
		if !used {
			t.Errorf("route %s is of no operation", key)
		}
	}
}

func TestTheFront(t *testing.T) {
	t.Parallel()
	d := load(t)
	if d.resources["Front"].Properties["CorsConfiguration"] != nil {
		t.Error("browsers of other sites may call the API")
	}
	stage := d.resources["Stage"].Properties
	for key := range at[object](stage, "RouteSettings") {
		if !strings.Contains(key, "/escalations") && !strings.Contains(key, "/activities") && !strings.Contains(key, "/messages/") {
			t.Errorf("throttle for %s", key)
		}
	}
	if at[object](stage, "DefaultRouteSettings", "ThrottlingRateLimit") == nil || word(at[any](stage, "AccessLogSettings", "DestinationArn")) != "AccessLogs.Arn" {
		t.Errorf("the stage has no throttle or no log: %v", stage)
	}
	for _, name := range []string{"Webhook", "Api", "AuditReplay", "Relay"} {
		if at[string](d.resources[name].Properties, "AutoPublishAlias") != "live" || word(d.resources[name+"Permission"].Properties["FunctionName"]) != name+".Alias" {
			t.Errorf("%s is not called by its alias, so a canary would be none", name)
		}
		alarms := words(at[any](d.resources[name].Properties, "DeploymentPreference", "Alarms"))
		if len(alarms) != 1 || d.resources[alarms[0]].Type != "AWS::CloudWatch::Alarm" {
			t.Errorf("%s: nothing rolls a new version back: %v", name, alarms)
		}
	}
}
