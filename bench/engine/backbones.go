package engine

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"ovbench/configs"
	"ovbench/reports/results"
	"ovbench/runners/checkpoint"
	"ovbench/runners/dino"
	"ovbench/runners/hub"
	"ovbench/runners/methods"
	"ovbench/runners/sam"
	"ovbench/runners/vit"
)

// Backbone is a network beside the image-text model.
type Backbone struct {
	methods.Backbone
	Name    string // as asked for
	Role    string // the name that methods ask with
	Kind    string // of architecture
	Format  checkpoint.Format
	Assumed []string // in words for the user
	model   results.Model
}

// openBackbone opens the network at path: a role of sam is Segment Anything's image encoder, all others are DINO's.
func openBackbone(name, role string) (b Backbone, err error) {
	b = Backbone{Name: name, Role: role}
	if role == "sam" {
		return b, b.openSAM()
	}
	path, err := hub.Locate(name)
	if err != nil {
		return b, err
	}
	m, err := dino.Open(path, role)
	if err != nil {
		return b, err
	}
	t := &m.Tower
	b.Backbone, b.Kind, b.Format, b.Assumed = t, m.Name(), m.Format, m.Assumed
	b.model = results.Model{Path: m.Path, Activation: string(t.Activation), ImageSize: m.Image, Patch: t.Patch,
		Layers: t.Depth(), Width: t.Width, Heads: t.Heads}
	b.addFiles(m.Files)
	return b, nil
}

func (b *Backbone) openSAM() error {
	path, err := sam.Locate(b.Name)
	if err != nil {
		return err
	}
	m, err := sam.Open(path)
	if err != nil {
		return err
	}
	b.Backbone, b.Kind, b.Format, b.Assumed = m.Backbone(b.Role), m.Name(), m.Format, m.Notes
	b.model = results.Model{Path: m.Path, Activation: string(vit.GELU), ImageSize: m.Image, Patch: m.Patch,
		Layers: m.Depth, Width: m.Width, Heads: m.Heads}
	b.addFiles(m.Files)
	return nil
}

func (b *Backbone) addFiles(paths []string) {
	for _, p := range paths {
		b.model.Files = append(b.model.Files, results.File{Path: p})
	}
}

// OpenBackbones finds networks, given by the names that methods ask with. The error joins every fault.
func OpenBackbones(named map[string]string) (list []Backbone, err error) {
	var faults []error
	for _, role := range slices.Sorted(maps.Keys(named)) {
		b, err := openBackbone(named[role], role)
		if err != nil {
			faults = append(faults, fmt.Errorf("backbone %s: %w", role, err))
			continue
		}
		list = append(list, b)
	}
	return list, errors.Join(faults...)
}

// Towers are the backbones as methods see them.
func Towers(list []Backbone) map[string]methods.Backbone {
	out := map[string]methods.Backbone{}
	for _, b := range list {
		out[b.Role] = b.Backbone
	}
	return out
}

// Grow adds to the methods of a suite that wants it those that read the backbones it is given, by their names, and need
// no more.
// What a run without backbones does stays as it is.
func Grow(s *configs.Suite, given []string) {
	if !s.Grow {
		return
	}
	s.Grow = false // the methods say it from here on
	for role := range s.Backbones {
		given = append(given, role)
	}
	regions := !slices.ContainsFunc(s.Datasets, func(d configs.Dataset) bool { return d.Regions == "" })
	for _, e := range methods.All {
		t := e.New().Traits()
		lacks := slices.ContainsFunc(t.Backbones, func(role string) bool { return !slices.Contains(given, role) })
		named := slices.ContainsFunc(s.Methods, func(m configs.Method) bool { return m.Name == e.Name || m.Kind == e.Name })
		if len(t.Backbones) == 0 || lacks || named || t.Explains || t.Regions && !regions {
			continue
		}
		s.Methods = append(s.Methods, configs.Method{Name: e.Name, Kind: e.Name})
	}
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
	r := b.model
	r.Name, r.Format, r.Architecture = b.Name, string(b.Format), b.Kind
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
