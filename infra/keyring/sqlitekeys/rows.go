package sqlitekeys

import (
	"context"
	"iter"

	"zombiezen.com/go/sqlite"

	"handoff/events"
	"handoff/infra/keyring"
	"handoff/infra/sqlitedb"
)

// page is how many conversations' keys are read at once: no transaction may
// stay open while whoever takes the rows is busy with them.
const page = 1000

// Rows yields every row but the roots.
func (s *store) Rows(ctx context.Context) iter.Seq2[keyring.Row, error] {
	return func(yield func(keyring.Row, error) bool) {
		_ = s.conversations(ctx, yield) && s.others(ctx, yield)
	}
}

func (s *store) conversations(ctx context.Context, yield func(keyring.Row, error) bool) bool {
	for after := int64(0); ; {
		rows, last, err := s.pageOfKeys(ctx, after)
		if err != nil {
			yield(keyring.Row{}, err)
			return false
		}
		for _, r := range rows {
			if !yield(keyring.Row{Conversation: &r}, nil) {
				return false
			}
		}
		if len(rows) < page {
			return true
		}
		after = last
	}
}

func (s *store) pageOfKeys(ctx context.Context, after int64) (rows []keyring.ConversationRow, last int64, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		return query(c, `SELECT k.id, t.name, k.key, k.wrapped, k.erased FROM conversation_keys k JOIN tenants t ON t.id = k.tenant
			WHERE k.id > ? ORDER BY k.id LIMIT ?`, func(s *sqlite.Stmt) error {
			r := keyring.ConversationRow{Tenant: s.ColumnText(1), Key: events.KeyID(s.ColumnText(2)), Erased: s.ColumnBool(4)}
			if !r.Erased {
				r.Wrapped = blob(s, 3)
			}
			last = s.ColumnInt64(0)
			rows = append(rows, r)
			return nil
		}, after, page)
	})
	return rows, last, err
}

// others yields what there is little of.
func (s *store) others(ctx context.Context, yield func(keyring.Row, error) bool) bool {
	var rows []keyring.Row
	err := s.read(ctx, func(c *sqlite.Conn) error {
		keys, err := apiKeys(c, "true")
		for _, k := range keys {
			rows = append(rows, keyring.Row{APIKey: &k})
		}
		if err != nil {
			return err
		}
		return query(c, "SELECT t.name, s.name, s.version, s.created, s.sealed FROM secrets s JOIN tenants t ON t.id = s.tenant", func(s *sqlite.Stmt) error {
			rows = append(rows, keyring.Row{Secret: &keyring.SecretRow{
				Tenant: s.ColumnText(0), Name: s.ColumnText(1), Version: s.ColumnInt(2), Created: sqlitedb.Instant(s.ColumnInt64(3)), Sealed: blob(s, 4),
			}})
			return nil
		})
	})
	if err != nil {
		yield(keyring.Row{}, err)
		return false
	}
	for _, r := range rows {
		if !yield(r, nil) {
			return false
		}
	}
	return true
}
