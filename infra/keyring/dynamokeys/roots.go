package dynamokeys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"handoff/infra/awsfault"
	"handoff/infra/keyring"
	"handoff/infra/keyring/seal"
)

// maxNames is how many parameters one request may name (SSM API reference,
// GetParameters).
const maxNames = 10

// parameter is what stands in a parameter: who the roots are for, so that one
// copied to another name is noticed, and the secrets.
type parameter struct {
	Tenant   string `json:"tenant,omitempty"`
	Naming   []byte `json:"naming"`
	Wrapping []byte `json:"wrapping,omitempty"`
}

// Roots implements keyring.RootStore.
func (s *store) Roots(ctx context.Context, tenants ...string) (map[string]keyring.Roots, error) {
	all := make(map[string]keyring.Roots)
	for some := range slices.Chunk(tenants, maxNames) {
		byName := make(map[string]string)
		var names []string
		for _, t := range some {
			name := s.parameterName(t)
			byName[name] = t
			names = append(names, name)
		}
		out, err := s.ssm.GetParameters(ctx, &ssm.GetParametersInput{Names: names, WithDecryption: aws.Bool(true)})
		if err != nil {
			return nil, fmt.Errorf("read parameters %q: %w", names, awsfault.Classify(err))
		}
		for _, p := range out.Parameters {
			t := byName[aws.ToString(p.Name)]
			if all[t], err = parse(t, aws.ToString(p.Value)); err != nil {
				return nil, fmt.Errorf("parameter %s: %w", aws.ToString(p.Name), err)
			}
		}
	}
	return all, nil
}

// PutRoots implements keyring.RootStore.
func (s *store) PutRoots(ctx context.Context, tenant string, r keyring.Roots, replace bool) error {
	p := parameter{Tenant: tenant, Naming: r.Naming.Bytes()}
	if tenant != "" {
		p.Wrapping = r.Wrapping.Bytes()
	}
	value, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the secrets of tenant %q: %w", tenant, err)
	}
	in := &ssm.PutParameterInput{
		Name: aws.String(s.parameterName(tenant)), Value: aws.String(string(value)),
		Type: types.ParameterTypeSecureString, Tier: types.ParameterTierStandard, Overwrite: aws.Bool(replace),
	}
	if s.kmsKey != "" {
		in.KeyId = &s.kmsKey
	}
	_, err = s.ssm.PutParameter(ctx, in)
	if _, exists := errors.AsType[*types.ParameterAlreadyExists](err); exists {
		return nil // somebody else's, or ours where the answer was lost
	}
	if err != nil {
		return fmt.Errorf("write parameter %s: %w", *in.Name, awsfault.Classify(err))
	}
	return nil
}

// Tenants implements keyring.RootStore.
func (s *store) Tenants(ctx context.Context) (names []string, err error) {
	folder := s.path + "/tenants"
	pages := ssm.NewGetParametersByPathPaginator(s.ssm, &ssm.GetParametersByPathInput{Path: &folder})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list parameters below %s: %w", folder, awsfault.Classify(err))
		}
		for _, p := range page.Parameters {
			name, err := unescape(strings.TrimPrefix(aws.ToString(p.Name), folder+"/"))
			if err != nil {
				return nil, fmt.Errorf("parameter %s is no tenant's: %w", aws.ToString(p.Name), err)
			}
			names = append(names, name)
		}
	}
	return names, nil
}

func parse(tenant, value string) (r keyring.Roots, err error) {
	var p parameter
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		return r, errors.New("it is not as it was written") // the cause would quote the value
	}
	if p.Tenant != tenant {
		return r, fmt.Errorf("it was written for tenant %q", p.Tenant)
	}
	if r.Naming, err = seal.SecretFrom(p.Naming); err == nil && tenant != "" {
		r.Wrapping, err = seal.SecretFrom(p.Wrapping)
	}
	return r, err
}

func (s *store) parameterName(tenant string) string {
	if tenant == "" {
		return s.path + "/system"
	}
	return s.path + "/tenants/" + escape(tenant)
}

// escape writes a name with what parameters may have in theirs: letters, digits,
// and _.- (SSM API reference, PutParameter). Other bytes become _ and two
// hexadecimal digits, _ itself too.
func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if plain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

func unescape(escaped string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(escaped); i++ {
		if escaped[i] != '_' {
			b.WriteByte(escaped[i])
			continue
		}
		var c byte
		if _, err := fmt.Sscanf(escaped[i+1:min(i+3, len(escaped))], "%02x", &c); err != nil {
			return "", err
		}
		b.WriteByte(c)
		i += 2
	}
	if escape(b.String()) != escaped {
		return "", errors.New("it was not written like that")
	}
	return b.String(), nil
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.'
}
