package sqlitekeys

import (
	"context"
	"errors"
	"time"

	"zombiezen.com/go/sqlite"

	"handoff/domain/fault"
	"handoff/events"
	"handoff/infra/keyring"
	"handoff/infra/sqlitedb"
)

const (
	truncateAttempts = 5
	truncatePause    = 50 * time.Millisecond
)

// ConversationKey implements keyring.ConversationStore.
func (s *store) ConversationKey(ctx context.Context, tenant string, key events.KeyID) (wrapped []byte, err error) {
	err = s.read(ctx, func(c *sqlite.Conn) error {
		wrapped, err = selectKey(c, tenant, key)
		return err
	})
	return wrapped, err
}

// MakeConversationKey implements keyring.ConversationStore. To find a key there
// costs no sync.
func (s *store) MakeConversationKey(ctx context.Context, tenant string, key events.KeyID, fresh []byte) (wrapped []byte, err error) {
	err = s.db.WriteSized(ctx, len(fresh)+2*len(key), func(c *sqlite.Conn) error {
		err := exec(c, "INSERT INTO conversation_keys (tenant, key, wrapped, erased) VALUES ("+tenantID+", ?2, ?3, 0) ON CONFLICT DO NOTHING",
			tenant, string(key), fresh)
		if err == nil {
			wrapped, err = selectKey(c, tenant, key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return wrapped, nil
}

func selectKey(c *sqlite.Conn, tenant string, key events.KeyID) (wrapped []byte, err error) {
	err = keyring.ErrNoKey
	failed := query(c, "SELECT wrapped, erased FROM conversation_keys WHERE tenant = "+tenantID+" AND key = ?2", func(s *sqlite.Stmt) error {
		if wrapped, err = blob(s, 0), nil; s.ColumnBool(1) {
			wrapped, err = nil, keyring.ErrErased
		}
		return nil
	}, tenant, string(key))
	if failed != nil {
		return nil, failed
	}
	return wrapped, err
}

// DestroyConversationKey implements keyring.ConversationStore. When it returns
// nil the key is in no byte of any file. Others may read and write meanwhile; a
// program that holds a read transaction on the file makes it fail with an
// Unavailable fault erase-unfinished.
func (s *store) DestroyConversationKey(ctx context.Context, tenant string, key events.KeyID) error {
	err := s.db.Write(ctx, func(c *sqlite.Conn) error {
		return exec(c, "INSERT INTO conversation_keys (tenant, key, wrapped, erased) VALUES ("+tenantID+`, ?2, zeroblob(?3), 1)
			ON CONFLICT DO UPDATE SET wrapped = zeroblob(length(wrapped)), erased = 1 WHERE erased = 0`, tenant, string(key), keyring.WrappedSize)
	})
	if err != nil {
		return err
	}
	return s.truncate(ctx)
}

// truncate empties the write-ahead log, where what was overwritten still stands.
func (s *store) truncate(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		err := s.db.Truncate(ctx)
		if !errors.Is(err, sqlitedb.ErrBusy) {
			return err
		}
		if attempt == truncateAttempts {
			return fault.New(fault.Unavailable, "erase-unfinished",
				"The key is destroyed, but another program reads keys.db and keeps its bytes from being overwritten. End it and erase again.").Because(err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(truncatePause):
		}
	}
}
