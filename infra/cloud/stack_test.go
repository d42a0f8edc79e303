package cloud_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handoff/domain/fault"
	"handoff/infra/cloud"
)

// Whoever is not signed in at AWS is told so before anything is called, and not
// where the SDK looked in vain.
func TestAStackIsOpenedBySomebodyWhoIsSignedIn(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, c := range []struct{ region, code, says string }{
		{"", "aws-region-missing", "AWS_REGION"},
		{"eu-west-1", "aws-credentials-missing", "aws sso login"},
	} {
		t.Setenv("AWS_REGION", c.region)
		_, err := cloud.OpenStack(t.Context(), "prod", "default", time.Now)
		if f := fault.Of(err); f == nil || f.Code != c.code || !strings.Contains(f.Detail, c.says) {
			t.Errorf("in region %q: %v, want %s", c.region, err, c.code)
		}
	}
}
