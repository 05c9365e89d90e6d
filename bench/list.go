package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ovbench/bench/engine"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/reports"
	"ovbench/runners/hub"
	"ovbench/runners/methods"
)

// item is one line of a list.
type item struct {
	Name   string         `json:"name"`
	Doc    string         `json:"doc,omitempty"`
	Params map[string]any `json:"params,omitempty"`
	Paper  string         `json:"paper,omitempty"`
	More   []string       `json:"query_sets,omitempty"`
	Reads  []string       `json:"backbones,omitempty"`
	Claim  *reports.Claim `json:"claim,omitempty"`
}

// lists says what each kind of thing is made of.
var lists = map[string]func() ([]item, error){
	"datasets": func() (out []item, _ error) {
		for _, e := range datasets.All {
			it := item{Name: e.Name, Doc: e.Title, More: datasets.QuerySets(e.Name)}
			if e.Classes > 0 {
				it.Doc += fmt.Sprintf(" (%d classes)", e.Classes)
			}
			out = append(out, it)
		}
		return out, nil
	},
	"methods": func() (out []item, _ error) {
		for _, e := range methods.All {
			out = append(out, item{Name: e.Name, Doc: e.Doc, Paper: e.Paper, Params: methods.Params(e.New()),
				Reads: e.New().Traits().Backbones})
		}
		return out, nil
	},
	"metrics": func() (out []item, _ error) {
		for _, m := range tasks.Metrics() {
			out = append(out, item{Name: m.Name, Doc: m.Task + ": " + m.Doc})
		}
		return out, nil
	},
	"models": func() (out []item, _ error) {
		out = append(out,
			item{Name: "demo", Doc: "built in: a small CLIP, trained on captions of shapes"},
			item{Name: "micro", Doc: "built in: a tiny random model, to try the machinery"})
		for _, name := range hub.Cached() {
			out = append(out, item{Name: name, Doc: "in the cache"})
		}
		for _, f := range hub.Families {
			for _, name := range f.Models {
				if !slices.ContainsFunc(out, func(it item) bool { return it.Name == name }) {
					doc := fmt.Sprintf("ovbench pull %s: %s (read from %s)", name, f.Name, f.Forms)
					if !hub.Checksummed(name) {
						doc += "; no checksum is known"
					}
					out = append(out, item{Name: name, Doc: doc})
				}
			}
		}
		return out, nil
	},
	"suites": func() (out []item, _ error) {
		for _, name := range configs.Names() {
			s, err := configs.Load(name, tasks.Known())
			if err != nil {
				return nil, err
			}
			out = append(out, item{Name: name, Doc: s.Title})
		}
		return out, nil
	},
	"published": func() (out []item, _ error) {
		for _, c := range reports.Published() {
			out = append(out, item{Name: c.Label, Doc: claimText(c), Claim: &c})
		}
		return out, nil
	},
	"protocols": func() (out []item, _ error) {
		for _, p := range configs.Protocols() {
			out = append(out, item{Name: p.Name, Doc: p.Summary()})
		}
		return out, nil
	},
}

// claimText is a line of published numbers.
func claimText(c reports.Claim) string {
	var cells []string
	for _, name := range slices.Sorted(maps.Keys(c.Cells)) {
		cells = append(cells, fmt.Sprintf("%s %v", name, c.Cells[name]))
	}
	s := fmt.Sprintf("%s, %s, %s: %s; %s (%s)", c.Backbone, c.Task, c.Metric, strings.Join(cells, ", "), c.Source, c.Kind)
	if c.Unreliable {
		s += "; do not trust: " + c.Remarks
	}
	return s
}

func listCommand() *cobra.Command {
	kinds := slices.Sorted(maps.Keys(lists))
	var asJSON bool
	c := &cobra.Command{
		Use:   "list " + strings.Join(kinds, "|"),
		Short: "List what suites and flags can name",
		Long: `List what suites and flags can name: methods with their parameters, data sets with their sets of queries, metrics,
built-in suites, protocols with all their values, models in the caches, and numbers that papers published.`,
		Example:   "  ovbench list methods\n  ovbench list protocols --json",
		ValidArgs: kinds,
		Args:      oneOf(kinds),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		items, err := lists[args[0]]()
		if err != nil {
			return err
		}
		if asJSON {
			enc := json.NewEncoder(c.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(items)
		}
		table := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, it := range items {
			fmt.Fprintf(table, "%s\t%s\n", it.Name, it.details())
		}
		return table.Flush()
	}
	return c
}

func (it item) details() string {
	s := it.Doc
	if p := engine.ParamText(it.Params); p != "" {
		s += " " + p
	}
	if it.Paper != "" {
		s += " (" + it.Paper + ")"
	}
	if len(it.Reads) > 0 {
		s += "; reads --backbone " + strings.Join(it.Reads, ", ")
	}
	if len(it.More) > 0 {
		s += "; queries " + strings.Join(it.More, ", ")
	}
	return s
}
