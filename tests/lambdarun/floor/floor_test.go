package floor_test

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"handoff/tests/lambdarun/floor"
)

func TestSourceLinksWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	b, err := floor.Source("dynamodb", "events")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.ParseFile(token.NewFileSet(), "main.go", b, 0); err != nil {
		t.Errorf("%v:\n%s", err, b)
	}
	for want, there := range map[string]bool{"dynamodbClient.Query": true, "eventbridgeClient.PutEvents": true, "service/s3": false} {
		if strings.Contains(string(b), want) != there {
			t.Errorf("%s in it: %v, want %v", want, !there, there)
		}
	}
	if _, err := floor.Source("dynamo"); err == nil {
		t.Error("an unknown service is linked")
	}
}
