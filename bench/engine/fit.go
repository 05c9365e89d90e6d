package engine

import (
	"fmt"
	"reflect"
	"slices"

	"ovbench/runners"
	"ovbench/runners/methods"
)

// fitMethods gives every data set the methods with the parameters that they have on it, and the network each of these once.
func (p *Plan) fitMethods() error {
	for k := range p.targets {
		d := p.suite.Datasets[k].Name
		for i, m := range p.suite.Methods {
			method, err := methods.NewOn(d, m.Kind, m.Params)
			if err == nil {
				err = method.Check(p.model.Model)
			}
			if err != nil {
				return p.suite.Fault(fmt.Sprintf("methods[%d]", i), "on %s: %v", d, err)
			}
			p.targets[k].network = append(p.targets[k].network, p.inNetwork(m.Name, d, method))
		}
	}
	return nil
}

// inNetwork is the place of a method in the network, where it is put unless it is there.
func (p *Plan) inNetwork(label, dataset string, method methods.Method) int {
	at := slices.IndexFunc(p.network, func(n runners.Named) bool { return reflect.DeepEqual(n.Method, method) })
	if at >= 0 {
		return at
	}
	if slices.ContainsFunc(p.network, func(n runners.Named) bool { return n.Name == label }) {
		label += " on " + dataset
	}
	p.network = append(p.network, runners.Named{Name: label, Method: method})
	return len(p.network) - 1
}

// departing are the parameters that methods have on a data set and not by themselves, by the method's label; nil for none.
func (p *Plan) departing(t *target) map[string]map[string]any {
	var out map[string]map[string]any
	for i, n := range p.methods {
		usual := methods.Params(n.Method)
		for key, v := range methods.Params(p.network[t.network[i]].Method) {
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
