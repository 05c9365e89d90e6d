package reports

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ovbench/reports/plain"
	"ovbench/reports/results"
)

// runNames heads the columns of tables that set runs side by side.
func runNames(runs []*results.Run) []string {
	if len(runs) == 1 {
		return []string{"value"}
	}
	names := make([]string, len(runs))
	for i, r := range runs {
		if names[i] = r.Label; r.Label == "" {
			names[i] = fmt.Sprintf("run %d: %s", i+1, join([]string{cmp.Or(r.Suite.Name, "unnamed"), modelName(runs, r)}, ", "))
		}
	}
	return names
}

// title is a heading for all runs.
func titleOf(runs []*results.Run) string {
	if len(runs) == 1 {
		return plain.Line(cmp.Or(runs[0].Suite.Title, runs[0].Suite.Name, "ovbench"))
	}
	return fmt.Sprintf("%s, and %s more", titleOf(runs[:1]), counted(len(runs)-1, "run"))
}

// sideBySide is a table of one line per key and one column per run; lines that are empty everywhere are left out.
func sideBySide(runs []*results.Run, keys []string, of func(r *results.Run, key string) string) table {
	t := table{head: append([]string{""}, runNames(runs)...), words: true}
	for _, k := range keys {
		line, empty := texts(k), true
		for _, r := range runs {
			s := of(r, k)
			line, empty = append(line, entry{text: s}), empty && s == ""
		}
		if !empty {
			t.rows = append(t.rows, line)
		}
	}
	return t
}

func protocolTable(runs []*results.Run) table {
	fields := map[string]bool{}
	for _, r := range runs {
		for k := range r.Protocol.Fields {
			fields[k] = true
		}
	}
	t := sideBySide(runs, []string{"name", "fingerprint"}, func(r *results.Run, k string) string {
		return map[string]string{"name": r.Protocol.Name, "fingerprint": shortHash(r.Protocol.Fingerprint)}[k]
	})
	rest := sideBySide(runs, slices.Sorted(maps.Keys(fields)), func(r *results.Run, k string) string {
		if x, ok := r.Protocol.Fields[k]; ok {
			return valueText(x)
		}
		return missing
	})
	t.rows = append(t.rows, rest.rows...)
	return t
}

func methodsTable(v *view) table {
	t := table{head: []string{"Method", "Kind", "Needs", "Positions", "Parameters"}, words: true}
	for _, r := range v.rows {
		m := v.runs[r.run].Method(r.method)
		var params []string
		for _, k := range slices.Sorted(maps.Keys(m.Params)) {
			params = append(params, k+"="+valueText(m.Params[k]))
		}
		for _, d := range v.runs[r.run].Datasets {
			for _, k := range slices.Sorted(maps.Keys(d.Params[r.method])) {
				params = append(params, fmt.Sprintf("on %s %s=%s", d.Name, k, valueText(d.Params[r.method][k])))
			}
		}
		t.rows = append(t.rows, texts(v.name(r), m.Kind, m.League(), m.Positions, strings.Join(params, ", ")))
	}
	return t
}

// datasets counts images: in the split, measured, failed.
func datasetsTable(runs []*results.Run) table {
	t := table{head: []string{"Data set", "Split", "Images", "Measured", "Failed", "Classes", "Queries", "Query set",
		"Templates", "List"}, words: true}
	for i, r := range runs {
		for _, d := range r.Datasets {
			name := cmp.Or(d.Title, d.Name)
			if len(runs) > 1 {
				name = fmt.Sprintf("%s · run %d", name, i+1)
			}
			queries := 0
			for _, q := range d.Queries {
				queries += len(q)
			}
			t.rows = append(t.rows, texts(name, d.Split, strconv.Itoa(d.Images), strconv.Itoa(d.Measured),
				strconv.Itoa(r.Failed(d.Name)),
				integer(len(d.Classes)), integer(queries), d.QuerySet, integer(d.Templates), shortHash(d.ListSHA256)))
		}
	}
	return t
}

func modelTable(runs []*results.Run) table {
	keys := []string{"name", "format", "files", "architecture", "activation", "image size", "patch", "layers",
		"width", "heads", "embedding", "logit scale", "vocabulary"}
	for _, r := range runs {
		for _, n := range r.Networks {
			if !slices.Contains(keys, n.Role) {
				keys = append(keys, n.Role)
			}
		}
	}
	return sideBySide(runs, keys, func(r *results.Run, k string) string {
		m := &r.Model
		if i := slices.IndexFunc(r.Networks, func(n results.Network) bool { return n.Role == k }); i >= 0 {
			n := &r.Networks[i].Model
			return strings.Trim(n.Architecture+", "+filesText(n), ", ")
		}
		switch k {
		case "name":
			return m.Called()
		case "format":
			return m.Format
		case "files":
			return filesText(m)
		case "architecture":
			return m.Architecture
		case "activation":
			return m.Activation
		case "logit scale":
			if m.LogitScale == 0 {
				return ""
			}
			return valueText(m.LogitScale)
		case "vocabulary":
			if m.Vocabulary == (results.File{}) {
				return ""
			}
			return fileText(m.Vocabulary)
		}
		return integer(map[string]int{"image size": m.ImageSize, "patch": m.Patch, "layers": m.Layers,
			"width": m.Width, "heads": m.Heads, "embedding": m.Embed}[k])
	})
}

// filesText is a model's weight files, the first of many.
func filesText(m *results.Model) string {
	var list []string
	for _, f := range m.Files[:min(len(m.Files), 8)] {
		list = append(list, fileText(f))
	}
	if n := len(m.Files) - len(list); n > 0 {
		list = append(list, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(list, ", ")
}

func fileText(f results.File) string {
	parts := []string{bytesText(f.Bytes)}
	if f.SHA256 != "" {
		parts = append(parts, "sha256 "+shortHash(f.SHA256))
	}
	return path.Base(filepath.ToSlash(f.Path)) + " (" + strings.Join(parts, ", ") + ")"
}

// provenance is what else one needs to measure again.
func provenanceTable(runs []*results.Run) table {
	keys := []string{"ovbench", "suite", "started", "finished", "host", "runtime", "computed in", "threads", "jobs",
		"attention"}
	return sideBySide(runs, keys, func(r *results.Run, k string) string {
		switch k {
		case "ovbench":
			return toolText(r.Tool)
		case "suite":
			s := path.Base(filepath.ToSlash(cmp.Or(r.Suite.File, r.Suite.Name)))
			if r.Suite.SHA256 != "" {
				s += " (sha256 " + shortHash(r.Suite.SHA256) + ")"
			}
			return s
		case "started":
			return timeText(r.Started)
		case "finished":
			return timeText(r.Finished)
		case "host":
			return hostText(r.Host)
		case "runtime":
			s := strings.TrimSpace(r.Runtime.Name + " " + r.Runtime.Version)
			if r.Runtime.SHA256 != "" {
				s += " (sha256 " + shortHash(r.Runtime.SHA256) + ")"
			}
			return s
		case "computed in":
			return r.Runtime.Computed()
		case "attention":
			return r.Runtime.Attention
		}
		return integer(map[string]int{"threads": r.Runtime.Threads, "jobs": r.Runtime.Jobs}[k])
	})
}

func toolText(t results.Tool) string {
	parts := []string{t.Version, shortHash(t.Revision)}
	if t.Dirty {
		parts = append(parts, "(with local changes)")
	}
	parts = append(parts, t.Go, strings.Trim(t.OS+"/"+t.Arch, "/"))
	return join(parts, " ")
}

func hostText(h results.Host) string {
	parts := []string{h.Name, h.CPU}
	if h.Cores > 0 {
		parts = append(parts, fmt.Sprintf("%d cores", h.Cores))
	}
	if h.MemoryBytes > 0 {
		parts = append(parts, bytesText(h.MemoryBytes))
	}
	return join(parts, ", ")
}

// join joins what is not empty.
func join(parts []string, sep string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func timingTable(runs []*results.Run) table {
	var stages []string
	for _, r := range runs {
		for _, s := range r.Timing.Stages() {
			if !slices.Contains(stages, s) {
				stages = append(stages, s)
			}
		}
	}
	t := sideBySide(runs, stages, func(r *results.Run, k string) string {
		if s, ok := r.Timing.Seconds[k]; ok {
			return seconds(s)
		}
		return missing
	})
	wall := sideBySide(runs, []string{"wall clock"},
		func(r *results.Run, _ string) string { return seconds(r.Timing.Wall) })
	t.rows = append(t.rows, wall.rows...)
	if slices.ContainsFunc(runs, func(r *results.Run) bool { return r.Utilisation() > 0 }) {
		busy := sideBySide(runs, []string{"cores busy"}, func(r *results.Run, _ string) string {
			if share := r.Utilisation(); share > 0 {
				return fmt.Sprintf("%.0f %%", 100*share)
			}
			return missing
		})
		t.rows = append(t.rows, busy.rows...)
	}
	t.notes = []string{"Totals of a stage over all workers; stages overlap."}
	return t
}

// maxFailures is how many failed samples a report lists.
const maxFailures = 20

func failuresTable(runs []*results.Run) table {
	t := table{head: []string{"Data set", "Sample", "Stage", "Error"}, words: true}
	n := 0
	for i, r := range runs {
		for _, f := range r.Failures {
			if n++; n > maxFailures {
				continue
			}
			name := f.Dataset
			if len(runs) > 1 {
				name = fmt.Sprintf("%s · run %d", name, i+1)
			}
			t.rows = append(t.rows, texts(name, f.ID, f.Stage, elideEnd(f.Error, 200, "…")))
		}
	}
	if n > maxFailures {
		t.notes = []string{fmt.Sprintf("The first %d of %d; %s has them all.", maxFailures, n, results.FileName)}
	}
	return t
}
