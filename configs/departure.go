package configs

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

// departable are the fields that may have a value of their own on a data set. Positions and templates hold for a run:
// the network and its texts are the same for all data sets.
var departable = func() (out []field[Protocol]) {
	for _, f := range protocolFields {
		if !slices.Contains([]string{"name", "mean", "positions", "templates", "redundant", "ending"}, f.key) {
			f.need = false
			out = append(out, f)
		}
	}
	return out
}()

// departuresField is the key datasets of a protocol: {data set: {key: value}}.
var departuresField = field[Protocol]{
	key: "datasets", doc: "what departs from the above on single data sets: {voc21: {threshold: 0.1}}",
	read: readDepartures,
	write: func(p *Protocol) (any, bool) {
		var o object
		for _, d := range p.Departures {
			o = append(o, pair{d.Dataset, d.write()})
		}
		return o, len(o) > 0
	},
	schema: func() object {
		return object{{"type", "object"}, {"additionalProperties", mapping(departable, false)}}
	},
}

func (d Departure) write() object {
	var o object
	for _, f := range departable {
		if slices.Contains(d.Keys, f.key) {
			o = append(o, pair{f.key, f.value(&d.Values)})
		}
	}
	return o
}

// readDepartures adds to the departures of p what n says, key by key.
func readDepartures(r *reader, n *yaml.Node, at string, p *Protocol) {
	r.note(n, at)
	if n.Kind != yaml.MappingNode {
		r.fault(n, "%s: want a mapping such as {voc21: {threshold: 0.1}}, got %s", at, describe(n))
		return
	}
	seen := map[string]int{}
	for name, value := range pairs(n) {
		path := join(at, name.Value)
		r.note(value, path)
		if first, twice := seen[name.Value]; twice {
			r.fault(name, "%s is written twice, first %s; delete one", short(path), onLine(first))
			continue
		}
		seen[name.Value] = name.Line
		if known := r.known.Datasets; known != nil && !slices.Contains(known, name.Value) {
			r.fault(name, "%s: data set %s %s (ovbench list datasets)", at, quote(name.Value), notKnown(name.Value, known))
			continue
		}
		if value.Kind != yaml.MappingNode {
			r.fault(value, "%s: want a mapping such as {threshold: 0.1}, got %s", short(path), describe(value))
			continue
		}
		var d Departure
		readFields(r, value, path, &d.Values, departable, false)
		for _, f := range departable {
			if hasKey(value, f.key) {
				d.Keys = append(d.Keys, f.key)
			}
		}
		p.depart(name.Value, d)
	}
}

// depart adds d to what p says of a data set. The departures that p had stay as they are for those who share them.
func (p *Protocol) depart(dataset string, d Departure) {
	p.Departures = slices.Clone(p.Departures)
	i := slices.IndexFunc(p.Departures, func(d Departure) bool { return d.Dataset == dataset })
	if i < 0 {
		if len(d.Keys) > 0 {
			d.Dataset = dataset
			p.Departures = append(p.Departures, d)
		}
		return
	}
	old := p.Departures[i]
	merged := Departure{Dataset: dataset, Values: old.Values}
	for _, f := range departable {
		if slices.Contains(d.Keys, f.key) {
			f.copy(&merged.Values, &d.Values)
		}
		if slices.Contains(d.Keys, f.key) || slices.Contains(old.Keys, f.key) {
			merged.Keys = append(merged.Keys, f.key)
		}
	}
	p.Departures[i] = merged
}

// undeparted is p with one value of a key for all data sets.
func (p Protocol) undeparted(key string) Protocol {
	var out []Departure
	for _, d := range p.Departures {
		if slices.Contains(d.Keys, key) {
			d.Keys = slices.DeleteFunc(slices.Clone(d.Keys), func(k string) bool { return k == key })
		}
		if len(d.Keys) > 0 {
			out = append(out, d)
		}
	}
	p.Departures = out
	return p
}

// On is the protocol as it holds on a data set, without departures.
func (p Protocol) On(dataset string) Protocol {
	departures := p.Departures
	p.Departures = nil
	for _, d := range departures {
		if d.Dataset != dataset {
			continue
		}
		for _, f := range departable {
			if slices.Contains(d.Keys, f.key) {
				f.copy(&p, &d.Values)
			}
		}
	}
	return p
}

// checkProtocol reports keys that contradict each other, for all data sets and on each that departs.
func (r *reader) checkProtocol(n *yaml.Node, at string, p Protocol) {
	whole := p
	whole.Departures = nil
	if r.checkKeys(n, at, whole) {
		for _, d := range p.Departures {
			r.checkKeys(n, at+" on "+d.Dataset, p.On(d.Dataset))
		}
	}
}

func (r *reader) checkKeys(n *yaml.Node, at string, p Protocol) bool {
	message := ""
	switch {
	case p.Resize == "short-side" && p.Size.H != p.Size.W:
		message = fmt.Sprintf("size %s has two sides, but resize short-side fits one; write one number", p.Size)
	case p.Resize == "short-side" && p.Long > 0 && p.Long < p.Size.H:
		message = fmt.Sprintf("long %d is less than the shorter side, size %d", p.Long, p.Size.H)
	case p.Window > 0 && (p.Stride < 1 || p.Stride > p.Window):
		message = fmt.Sprintf("windows of %d need a stride from 1 to %d, got %d; give the stride, and with --set before "+
			"the window", p.Window, p.Window, p.Stride)
	case p.Window > 0 && p.Window < minSide:
		message = fmt.Sprintf("windows of %d pixels are smaller than a patch; want %d to %d", p.Window, minSide, maxSide)
	case p.Aliases != AliasesLSE && (p.AliasTau != 0 || p.AliasTemperature != 0):
		message = "alias_tau and alias_temperature are of aliases lse alone; write that, and with --set before them"
	case p.PAMR > 0 && p.SAMRefine > 0:
		message = "pamr refines maps by colours, and sam_refine corrects label maps of maps as they are; set one of them to 0"
	default:
		return true
	}
	r.fault(n, "%s: %s", at, message)
	return false
}
