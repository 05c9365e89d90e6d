package engine

import (
	"bufio"
	"cmp"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"ovbench/bench/tasks"
	"ovbench/datasets/jpeg"
	"ovbench/reports/results"
	"ovbench/runners/methods"
	"ovbench/runners/ort"
	"ovbench/runners/vit"
)

// Version is set by the linker.
var Version string

// Tool is this program, as results record it. Without a Version it has the module's.
func Tool() results.Tool {
	t := results.Tool{Version: Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return t
	}
	if t.Version == "" {
		t.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			t.Revision = s.Value
		case "vcs.modified":
			t.Dirty = s.Value == "true"
		}
	}
	return t
}

// Host is this machine. What the system does not tell is left empty.
func Host() results.Host {
	h := results.Host{Cores: runtime.NumCPU()}
	scan := func(path, key string) string {
		f, err := os.Open(path)
		if err != nil {
			return ""
		}
		defer f.Close()
		for in := bufio.NewScanner(f); in.Scan(); {
			if k, v, ok := strings.Cut(in.Text(), ":"); ok && strings.TrimSpace(k) == key {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
	h.CPU = scan("/proc/cpuinfo", "model name")
	if kb, err := strconv.ParseInt(strings.TrimSuffix(scan("/proc/meminfo", "MemTotal"), " kB"), 10, 64); err == nil {
		h.MemoryBytes = kb << 10
	}
	return h
}

// describe is the part of a run that is known before it starts.
func (p *Plan) describe() *results.Run {
	s := p.suite
	r := &results.Run{
		Schema: results.Schema, Tool: Tool(), Host: Host(), Started: time.Now(), Command: p.request.Command,
		Suite: results.Suite{Name: s.Name, Title: s.Title, File: s.File, SHA256: s.Fingerprint(),
			Text: string(s.Canonical()), Metrics: s.Metrics},
		Protocol: tasks.ProtocolOf(s.Protocol), Runtime: results.Runtime{Jobs: p.request.Jobs, Batch: p.request.Batch,
			JPEG: jpeg.Decoder},
		Shard: p.request.Shard.String(),
	}
	if p.imported != nil {
		r.Model = p.imported.describe()
		r.Methods = []results.Method{{Name: p.imported.Name, Kind: results.Imported, Needs: p.imported.Needs}}
		if left := p.imported.folder.LeftOut(); left != "" && p.whole() {
			r.Warnings = append(r.Warnings, left)
		}
	} else {
		p.describeNetwork(r)
	}
	if p.task.Needs().Segmenter || p.segmenter != nil {
		p.describeSegmenter(r)
	}
	for _, t := range p.targets {
		r.Datasets = append(r.Datasets, results.Dataset{
			Name: t.Info.Name, Title: t.Info.Title, Split: t.Info.Split, Root: t.Info.Root, ListSHA256: t.Info.ListSHA256,
			Images: t.Dataset.Len(), Samples: t.samples, Official: t.Info.Official, Classes: t.Info.Classes, Queries: t.queries,
			QuerySet: t.set, Templates: len(p.templates), Background: t.Info.Background,
			Protocol: tasks.ProtocolOf(t.Protocol), Params: p.departing(&t), Experts: t.council.describe(),
		})
	}
	for _, t := range p.targets {
		if t.Protocol.Oracle() {
			r.Warnings = append(r.Warnings, t.Info.Name+": "+results.OracleNote)
		}
		for _, n := range t.Info.Notes {
			r.Warnings = append(r.Warnings, t.Info.Name+": "+n)
		}
	}
	r.Panels = p.panelList()
	return r
}

// whole reports whether all samples of all data sets are to be measured.
func (p *Plan) whole() bool {
	return !slices.ContainsFunc(p.targets, func(t target) bool { return len(t.all) < t.Dataset.Len() })
}

// describeNetwork is what computes: model, library and methods.
func (p *Plan) describeNetwork(r *results.Run) {
	r.Model, r.Warnings = p.model.Describe(), p.model.Assumed
	r.Runtime.Name, r.Runtime.Version, r.Runtime.Path = "onnxruntime", p.library.Version, p.library.Path
	r.Runtime.Threads, r.Runtime.Mmap, r.Runtime.Attention = cmp.Or(p.request.Threads,
		runtime.NumCPU()), p.request.Mmap, "fused"
	if p.request.Device.Provider == ort.OpenVINO {
		r.Runtime.Attention = "standard operators"
	}
	if hash, err := p.library.SHA256(); err == nil {
		r.Runtime.SHA256 = hash
	}
	r.Runtime.Device, r.Runtime.Precision = p.computing()
	for _, b := range p.backbones {
		r.Networks = append(r.Networks, b.Describe())
		for _, w := range b.Assumed {
			r.Warnings = append(r.Warnings, "backbone "+b.Role+": assumed "+w)
		}
	}
	for i, m := range p.suite.Methods {
		positions := p.positionsOf(p.methods[i].Method)
		params := methods.Params(p.methods[i].Method)
		if p.task.Needs().Surgery {
			params["redundant"] = string(p.forms[i])
		}
		var needs []string
		for _, b := range p.methods[i].Method.Traits().Backbones {
			needs = append(needs, strings.ToUpper(b)) // "dino" is DINO in tables
		}
		if p.methods[i].Method.Traits().Regions {
			needs = append(needs, "masks")
		}
		if p.refines() && !slices.Contains(needs, "SAM") {
			needs = append(needs, "SAM")
		}
		r.Methods = append(r.Methods, results.Method{
			Name: m.Name, Kind: m.Kind, Params: params, Positions: string(positions), Needs: needs,
		})
	}
}

// positionsOf is how a method interpolates positions: as the protocol says, or its own way.
func (p *Plan) positionsOf(m methods.Method) vit.Interpolation {
	return cmp.Or(p.positions, p.model.Encoder().Interpolation(m.Traits().Positions))
}
