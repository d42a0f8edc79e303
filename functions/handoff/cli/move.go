package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"handoff/domain/fault"
	"handoff/infra/archive"
	"handoff/infra/cloud"
	"handoff/infra/embedded"
	"handoff/infra/keyring"
	"handoff/infra/settings"
)

type moveOptions struct {
	source

	keyFile string
	noKeys  bool
}

// moved is what was copied, for programs.
type moved struct {
	Position int64 `json:"position"` // of the last fact that both sides have
	Keys     int   `json:"keys"`     // rows of the keyring
}

func (a *app) exportCommand() *cobra.Command {
	var o moveOptions
	c := &cobra.Command{
		Use: "export DIRECTORY", GroupID: groupAudit, Args: names("DIRECTORY"), Short: "Copy the whole history into a directory of files",
		Long: "Copies every fact as it is stored, and the keys, into a directory, from which handoff import makes a log on another engine: from this machine to " +
			"AWS or back. It can be broken off and run again: what was copied is not copied twice.\n\n" +
			"Facts can be copied while a server runs; keys only while none does. To move with a short pause: export, stop the server, export again, import.\n\n" +
			"The keys travel under a key of their own, in a file beside the directory. Whoever has both can read everything; keep them apart.",
		Example:     "  handoff export ./moving\n  handoff export ./moving --stack handoff-prod",
		Annotations: after("handoff import DIRECTORY --stack NAME   make a log of it on AWS", "handoff verify                          its head is the same on both sides"),
		RunE:        func(c *cobra.Command, args []string) error { return a.export(c.Context(), args[0], o) },
	}
	o.flags(c.Flags(), "copy from")
	return c
}

func (a *app) importCommand() *cobra.Command {
	var o moveOptions
	c := &cobra.Command{
		Use: "import DIRECTORY", GroupID: groupAudit, Args: names("DIRECTORY"), Short: "Make a log of what handoff export copied",
		Long: "Copies keys and facts from a directory that handoff export made into a data directory that no server works on, or into the tables of a stack on AWS. " +
			"The target must be empty, or hold the beginning of the same history: an import can be broken off and run again. Every fact is checked on the way in. " +
			"Deliveries that were confirmed are not sent again; those that were not are taken up.",
		Example:     "  handoff import ./moving --stack handoff-prod\n  handoff import ./moving --data ./data",
		Annotations: after("handoff verify --stack NAME   its head is the same on both sides"),
		RunE:        func(c *cobra.Command, args []string) error { return a.importAll(c.Context(), args[0], o) },
	}
	o.flags(c.Flags(), "copy to")
	return c
}

func (a *app) reindexCommand() *cobra.Command {
	var stack string
	c := &cobra.Command{
		Use: "reindex --stack STACK", GroupID: groupAudit, Args: names(), Short: "Complete the feed of a stack on AWS from its log",
		Long: "Takes into the feed, and so into histories and lists, what the indexer was never told of, for example because it could not run for more than the " +
			"24 hours that DynamoDB keeps changes. What is there keeps its position. It may run beside everything else, and again.",
		Example:     "  handoff reindex --stack handoff-prod",
		Annotations: after("handoff verify --stack NAME   is the history whole?"),
		RunE: func(c *cobra.Command, _ []string) error {
			if stack == "" {
				return usage("--stack is missing: the name of a stack on AWS")
			}
			to, err := a.openStack(c.Context(), stack, "")
			if err != nil {
				return err
			}
			gained, err := to.History().Reindex(c.Context(), a.progress("reindexing"))
			if err != nil {
				return err
			}
			return a.print(map[string]int64{"gained": gained}, func() { a.out.Printf("The feed gained %s.\n", plural(gained, "fact")) })
		},
	}
	c.Flags().StringVar(&stack, "stack", "", "the `stack` on AWS, with your AWS credentials")
	return c
}

func (o *moveOptions) flags(f *pflag.FlagSet, what string) {
	f.StringVar(&o.data, "data", "", what+" this data `directory` (default: that of this machine)")
	f.StringVar(&o.stack, "stack", "", what+" the tables of this `stack` on AWS, with your AWS credentials")
	f.StringVar(&o.keyFile, "travel-key", "", "`file` with the key that the keys travel under (default: DIRECTORY.key)")
	f.BoolVar(&o.noKeys, "no-keys", false, "copy facts only; what is sealed can't be read on the other side")
}

func (a *app) export(ctx context.Context, dir string, o moveOptions) error {
	if o.data != "" && o.stack != "" {
		return usage("--data and --stack are two places; name one")
	}
	to, err := archive.Open(dir)
	if err != nil {
		return err
	}
	var m moved
	if o.stack != "" {
		m, err = a.exportStack(ctx, to, dir, o)
	} else {
		m, err = a.exportData(ctx, to, dir, o)
	}
	if err != nil {
		return err
	}
	return a.print(m, func() {
		a.out.Printf("%s and %s are in %s.\n", plural(m.Position, "fact"), plural(int64(m.Keys), "key"), dir)
	})
}

func (a *app) exportStack(ctx context.Context, to *archive.Archive, dir string, o moveOptions) (m moved, err error) {
	c, err := a.openStack(ctx, o.stack, "")
	if err != nil {
		return m, err
	}
	if !o.noKeys {
		keys, err := c.Keyring(ctx)
		if err == nil {
			m.Keys, err = exportKeys(ctx, to, keys, dir, o)
		}
		if err != nil {
			return m, err
		}
	}
	m.Position, err = to.Export(ctx, c.History(), a.progress("exporting"))
	return m, err
}

func (a *app) exportData(ctx context.Context, to *archive.Archive, dir string, o moveOptions) (m moved, err error) {
	s, err := a.dataSettings(o)
	if err != nil {
		return m, err
	}
	if _, err := os.Stat(filepath.Join(s.DataDir, embedded.LogFile)); errors.Is(err, fs.ErrNotExist) {
		return m, usage("%s is no data directory: there is no %s in it", s.DataDir, embedded.LogFile)
	}
	if !o.noKeys {
		err = embedded.WithKeyring(ctx, a.embedded(s), func(k *keyring.Keyring) (err error) {
			m.Keys, err = exportKeys(ctx, to, k, dir, o)
			return err
		})
		if fault.Is(err, "data-directory-busy") {
			a.tell("A server works on %s: its keys are not copied now. Stop it and run the same command again; the facts are copied by then.\n", s.DataDir)
			err = nil
		}
		if err != nil {
			return m, err
		}
	}
	log, end, err := embedded.OpenLog(ctx, s.DataDir)
	if err != nil {
		return m, err
	}
	m.Position, err = to.Export(ctx, log, a.progress("exporting"))
	return m, errors.Join(err, end())
}

func exportKeys(ctx context.Context, to *archive.Archive, from archive.KeySource, dir string, o moveOptions) (int, error) {
	under, err := keyring.LoadOrCreateMasterKey(o.travelKey(dir))
	if err != nil {
		return 0, err
	}
	return to.ExportKeys(ctx, from, under)
}

func (o moveOptions) travelKey(dir string) string {
	if o.keyFile != "" {
		return o.keyFile
	}
	return filepath.Clean(dir) + ".key"
}

func (a *app) importAll(ctx context.Context, dir string, o moveOptions) error {
	if o.data != "" && o.stack != "" {
		return usage("--data and --stack are two places; name one")
	}
	if _, err := os.Stat(dir); err != nil {
		return usage("there is no directory %s that handoff export made", dir)
	}
	from, err := archive.Open(dir)
	if err != nil {
		return err
	}
	var m moved
	if o.stack != "" {
		m, err = a.importStack(ctx, from, dir, o)
	} else {
		m, err = a.importData(ctx, from, dir, o)
	}
	if err != nil {
		return err
	}
	return a.print(m, func() {
		a.out.Printf("%s and %s are there.\n", plural(m.Position, "fact"), plural(int64(m.Keys), "key"))
	})
}

func (a *app) importStack(ctx context.Context, from *archive.Archive, dir string, o moveOptions) (m moved, err error) {
	c, err := a.openStack(ctx, o.stack, "")
	if err != nil {
		return m, err
	}
	if !o.noKeys {
		keys, err := c.NewKeyring(ctx)
		if err == nil {
			m.Keys, err = importKeys(ctx, from, keys, dir, o)
		}
		if err != nil {
			return m, err
		}
	}
	m.Position, err = from.Import(ctx, c.History(), a.progress("importing"))
	return m, err
}

func (a *app) importData(ctx context.Context, from *archive.Archive, dir string, o moveOptions) (m moved, err error) {
	s, err := a.dataSettings(o)
	if err != nil {
		return m, err
	}
	if !o.noKeys {
		err = embedded.WithKeyring(ctx, a.embedded(s), func(k *keyring.Keyring) (err error) {
			m.Keys, err = importKeys(ctx, from, k, dir, o)
			return err
		})
		if err != nil {
			return m, err
		}
	}
	e, err := embedded.Open(ctx, a.embedded(s))
	if err != nil {
		return m, err
	}
	m.Position, err = from.Import(ctx, embedded.History{Log: e.Log}, a.progress("importing"))
	return m, errors.Join(err, e.Close())
}

func importKeys(ctx context.Context, from *archive.Archive, to archive.KeyTarget, dir string, o moveOptions) (int, error) {
	under, err := keyring.LoadMasterKey(o.travelKey(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, usage("the key that the keys travel under is not at %s; name its file with --travel-key, or leave the keys out with --no-keys", o.travelKey(dir))
	}
	if err != nil {
		return 0, err
	}
	return from.ImportKeys(ctx, to, under)
}

// openStack opens a stack on AWS with the credentials of whoever runs the
// command.
func (a *app) openStack(ctx context.Context, name, tenant string) (*cloud.Cloud, error) {
	c, err := cloud.OpenStack(ctx, name, tenant, a.Now)
	if err != nil {
		return nil, fmt.Errorf("open stack %s: %w", name, err)
	}
	return c, nil
}

// dataSettings returns the settings of the data directory that is meant.
func (a *app) dataSettings(o moveOptions) (settings.Settings, error) {
	flags := func(name string) (string, bool) { return o.data, name == "HANDOFF_DATA_DIR" }
	s, err := settings.Load(settings.Any(flags, a.Env), a.Home)
	if err != nil {
		return s, asUsage(err)
	}
	return s, nil
}

func (a *app) embedded(s settings.Settings) embedded.Options {
	return embedded.Options{Dir: s.DataDir, KeyFile: s.KeyFile, Tenant: s.Tenant, Now: a.Now}
}
