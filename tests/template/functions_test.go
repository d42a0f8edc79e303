package template_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"handoff/infra/cloud"
)

// folders returns the folder of each function of the template.
func (d document) folders() map[string]string {
	all := map[string]string{}
	for _, f := range d.of("AWS::Serverless::Function") {
		uri := at[string](f.Properties, "CodeUri")
		all[f.Name] = strings.TrimSuffix(strings.TrimPrefix(uri, "functions/"), "/lambda/")
	}
	return all
}

func TestEveryLambdaMainIsAFunction(t *testing.T) {
	t.Parallel()
	mains, err := filepath.Glob(filepath.Join(root, "functions", "*", "lambda", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range mains {
		mains[i] = filepath.Base(filepath.Dir(filepath.Dir(m)))
	}
	equal(t, "functions", slices.Collect(maps.Values(load(t).folders())), mains)
}

// Names are those of the folders, so that whoever knows one finds the other.
func TestNamesOfFunctions(t *testing.T) {
	t.Parallel()
	d := load(t)
	for name, folder := range d.folders() {
		if strings.ToLower(name) != folder {
			t.Errorf("function %s is in folder %s", name, folder)
		}
		f := d.resources[name]
		if got := at[string](f.Raw, "Metadata", "BuildMethod"); got != "go1.x" {
			t.Errorf("%s is built by %q", name, got)
		}
		if word(f.Properties["Role"]) != name+"Role.Arn" {
			t.Errorf("%s has the role %s, want one of its own", name, word(f.Properties["Role"]))
		}
		if at[string](f.Properties, "Description") == "" {
			t.Errorf("%s has no description", name)
		}
	}
	globals := at[object](d.object, "Globals", "Function")
	if arch := word(globals["Architectures"]); arch != "arm64" || globals["Runtime"] != "provided.al2023" || globals["Handler"] != "bootstrap" {
		t.Errorf("functions run as %v on %s", globals["Runtime"], arch)
	}
}

// environment returns the variables that a function gets, with their values.
func (d document) environment(name string) object {
	env := maps.Clone(at[object](d.object, "Globals", "Function", "Environment", "Variables"))
	maps.Copy(env, at[object](d.resources[name].Properties, "Environment", "Variables"))
	return env
}

// Which of them a function needs is asked of the function itself in
// tests/deploy.
func TestVariablesAreSettings(t *testing.T) {
	t.Parallel()
	known := []string{"OTEL_EXPORTER_OTLP_ENDPOINT"}
	for _, s := range cloud.Table() {
		if s.Name != "HANDOFF_MICROSOFT_SIMULATION" { // that is on the machine of a test
			known = append(known, s.Name)
		}
	}
	d := load(t)
	used := map[string]bool{}
	for name := range d.folders() {
		for v := range d.environment(name) {
			used[v] = true
		}
	}
	equal(t, "variables", slices.Collect(maps.Keys(used)), known)
}

// A function that is told of a table may use it, and one that may is told. But
// the keyring is opened with the name of its table even where only the secrets
// by which streams are named are used; those functions read no key.
func TestVariablesAndRolesAgree(t *testing.T) {
	t.Parallel()
	d := load(t)
	for name := range d.folders() {
		env, may := d.environment(name), strings.Join(d.reach(name), " ")
		for variable, in := range map[string]string{
			cloud.LogTable: "Log.Arn", cloud.IndexTable: "Index.Arn", cloud.KeysTable: "Keys.Arn", cloud.WorkTable: "Work.Arn",
			cloud.BlobsBucket: "Blobs.Arn", cloud.Bus: "Bus.Arn", cloud.PoisonQueue: "Poison.Arn", cloud.SecretsPath: "/tenants/",
		} {
			_, told := env[variable]
			if variable == cloud.KeysTable && told && len(d.rights(name)["Keys"]) == 0 {
				continue
			}
			if told != strings.Contains(may, in) {
				t.Errorf("%s: is told of %s: %t, may use it: %t", name, variable, told, !told)
			}
		}
	}
}

// Settings that people may want to change are parameters, each explained and
// with a default, so that a first deployment asks nothing.
func TestParametersHaveDefaults(t *testing.T) {
	t.Parallel()
	d := load(t)
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	grouped := map[string]bool{}
	for _, g := range at[[]any](d.object, "Metadata", "AWS::CloudFormation::Interface", "ParameterGroups") {
		for _, p := range words(at[[]any](g, "Parameters")) {
			grouped[p] = true
		}
	}
	for name, p := range at[object](d.object, "Parameters") {
		if _, ok := p.(object)["Default"]; !ok {
			t.Errorf("parameter %s has no default", name)
		}
		if !strings.Contains(string(text), "!Ref "+name) && !strings.Contains(string(text), "${"+name+"}") {
			t.Errorf("parameter %s is not used", name)
		}
		if !grouped[name] {
			t.Errorf("parameter %s stands in no group", name)
		}
	}
}
