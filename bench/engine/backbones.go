package engine

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"ovbench/reports/results"
	"ovbench/runners/dino"
	"ovbench/runners/hub"
	"ovbench/runners/methods"
	"ovbench/runners/vit"
)

// Backbone is a network beside the image-text model.
type Backbone struct {
	*dino.Model
	Name string // as asked for
	Role string // the name that methods ask with
}

// OpenBackbones finds networks, given by the names that methods ask with. The error joins every fault.
func OpenBackbones(named map[string]string) (list []Backbone, err error) {
	var faults []error
	for _, role := range slices.Sorted(maps.Keys(named)) {
		path, err := hub.Locate(named[role])
		if err == nil {
			var m *dino.Model
			if m, err = dino.Open(path, role); err == nil {
				list = append(list, Backbone{m, named[role], role})
				continue
			}
		}
		faults = append(faults, fmt.Errorf("backbone %s: %w", role, err))
	}
	return list, errors.Join(faults...)
}

// Towers are the backbones as methods see them.
func Towers(list []Backbone) map[string]*vit.Tower {
	out := map[string]*vit.Tower{}
	for _, b := range list {
		out[b.Role] = &b.Tower
	}
	return out
}

// CheckUnneeded says which of the backbones no method asks for.
func CheckUnneeded(list []Backbone, ms []methods.Method) error {
	for _, b := range list {
		if !slices.ContainsFunc(ms, func(m methods.Method) bool { return slices.Contains(m.Traits().Backbones, b.Role) }) {
			return fmt.Errorf("backbone %q is read by none of the methods: leave it out, or name one that reads it (%s)", b.Role,
				strings.Join(readers(), "; "))
		}
	}
	return nil
}

// readers are the methods that read backbones, with the names they ask with.
func readers() (list []string) {
	for _, e := range methods.All {
		if names := e.New().Traits().Backbones; len(names) > 0 {
			list = append(list, e.Name+" reads "+strings.Join(names, ", "))
		}
	}
	return list
}

// Describe is the network as results record it; hashes are added by hashFiles.
func (b Backbone) Describe() results.Network {
	t := &b.Tower
	r := results.Model{
		Name: b.Name, Path: b.Path, Format: string(b.Format), Architecture: b.Model.Name(), Activation: string(t.Activation),
		ImageSize: b.Image, Patch: t.Patch, Layers: t.Depth(), Width: t.Width, Heads: t.Heads,
	}
	for _, f := range b.Files {
		r.Files = append(r.Files, results.File{Path: f})
	}
	return results.Network{Role: b.Role, Model: r}
}

// openBackbones opens those that the suite and the request name; the request's go before the suite's.
func (p *Plan) openBackbones() error {
	named := map[string]string{}
	for role, path := range p.suite.Backbones {
		named[role] = path
		if inFolder := p.suite.Path(path); inFolder != path {
			if _, err := os.Stat(inFolder); err == nil {
				named[role] = inFolder
			}
		}
	}
	maps.Copy(named, p.request.Backbones)
	var err error
	if p.backbones, err = OpenBackbones(named); err != nil {
		p.unopened = true
		return p.suite.Fault("backbones", "%v", err)
	}
	return nil
}

// checkNetworks says which of the networks that are named nobody reads.
func (p *Plan) checkNetworks() error {
	var ms []methods.Method
	for _, n := range p.methods {
		ms = append(ms, n.Method)
	}
	if err := CheckUnneeded(p.backbones, ms); err != nil {
		return p.suite.Fault("backbones", "%v", err)
	}
	return nil
}
