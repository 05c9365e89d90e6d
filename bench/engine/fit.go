package engine

import (
	"fmt"
	"reflect"
	"slices"

	"ovbench/runners"
	"ovbench/runners/clip"
	"ovbench/runners/methods"
	"ovbench/runners/vit"
)

// fitMethods gives every data set the methods with the parameters that they have on it, and the network each of these
// once.
func (p *Plan) fitMethods() error {
	for k := range p.targets {
		d := p.suite.Datasets[k].Name
		for i, m := range p.suite.Methods {
			method, err := methods.NewOn(d, m.Kind, m.Params)
			if err == nil {
				err = p.checkMethod(m.Name, method)
			}
			if err != nil {
				return p.suite.Fault(fmt.Sprintf("methods[%d]", i), "on %s: %v", d, err)
			}
			p.targets[k].network = append(p.targets[k].network, p.inNetwork(m.Name, d, method, p.modelOn(p.targets[k].framing)))
		}
	}
	return nil
}

// checkMethod says why the plan's networks do not do for a method.
func (p *Plan) checkMethod(label string, m methods.Method) error {
	towers := Towers(p.backbones)
	if len(m.Traits().Backbones) > 0 && p.unopened {
		return nil
	}
	if err := methods.CheckBackbones(label, m, towers); err != nil {
		return err
	}
	return m.Check(methods.Models{ImageText: p.model.Model, Backbones: towers})
}

// modelOn is the plan's model on pixels of a framing: normalised as the model wants it, unless the protocol names
// another way.
func (p *Plan) modelOn(f framing) *clip.Model {
	if f.colours == vit.CLIP {
		return p.model.Model
	}
	if p.normalised == nil {
		p.normalised = map[vit.Normalization]*clip.Model{}
	}
	if p.normalised[f.colours] == nil {
		p.normalised[f.colours] = p.model.Normalised(f.colours)
	}
	return p.normalised[f.colours]
}

// inNetwork is the place of a method on a model in the network, where it is put unless it is there.
func (p *Plan) inNetwork(label, dataset string, method methods.Method, on *clip.Model) int {
	at := slices.IndexFunc(p.network,
		func(n runners.Named) bool { return n.Model == on && reflect.DeepEqual(n.Method, method) })
	if at >= 0 {
		return at
	}
	if slices.ContainsFunc(p.network, func(n runners.Named) bool { return n.Name == label }) {
		label += " on " + dataset
	}
	p.network = append(p.network, runners.Named{Name: label, Method: method, Model: on})
	return len(p.network) - 1
}

// departing are the parameters that methods have on a data set and not by themselves, by the method's label; nil for
// none.
func (p *Plan) departing(t *target) map[string]map[string]any {
	var out map[string]map[string]any
	for i, at := range t.network { // none of predictions made elsewhere
		n := p.methods[i]
		usual := methods.Params(n.Method)
		for key, v := range methods.Params(p.network[at].Method) {
			if reflect.DeepEqual(v, usual[key]) {
				continue
			}
			if out == nil {
				out = map[string]map[string]any{}
			}
			if out[n.Name] == nil {
				out[n.Name] = map[string]any{}
			}
			out[n.Name][key] = v
		}
	}
	return out
}
