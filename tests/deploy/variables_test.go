package deploy_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"handoff/infra/cloud"
	"handoff/tests/lambdarun"
)

// variables asks every function which variables it can't do without: those that
// template.yaml gives it and that have no default, all of them and no others.
func (s *stack) variables(t *testing.T) {
	t.Helper()
	var needed []string
	for _, v := range cloud.Table() {
		if v.Default == "none" && v.Name != "HANDOFF_ALLOW_PRIVATE" {
			needed = append(needed, v.Name)
		}
	}
	client := lambda.NewFromConfig(s.Config())
	out, err := client.ListFunctions(t.Context(), &lambda.ListFunctionsInput{})
	if err != nil {
		t.Fatal(err)
	}
	starts := 0
	for _, f := range out.Functions {
		_, rest, _ := strings.Cut(aws.ToString(f.FunctionName), "-")
		folder, _, _ := strings.Cut(strings.ToLower(rest), "-")
		env := maps.Clone(f.Environment.Variables)
		env["AWS_ENDPOINT_URL"], env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"] = s.Endpoint, "test", "test"
		for _, name := range needed {
			if _, given := env[name]; !given {
				continue
			}
			less := maps.Clone(env)
			delete(less, name)
			if said := s.start(t, folder, less); !strings.Contains(said, name+" is not set") {
				t.Errorf("%s starts without %s: %s", folder, name, said)
			}
			starts++
		}
	}
	if starts < 60 {
		t.Errorf("only %d variables were tried", starts)
	}
}

// start starts a function and returns why it can't.
func (s *stack) start(t *testing.T, folder string, env map[string]string) string {
	t.Helper()
	f := lambdarun.New(lambdarun.Config{Name: folder, Bootstrap: s.bootstraps[folder], Env: env, Timeout: 20 * time.Second})
	defer f.Stop()
	if _, err := f.Invoke(t.Context(), []byte("{}")); err != nil {
		return err.Error()
	}
	return "it answered"
}
