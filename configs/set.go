package configs

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Set changes one key as if the file said so, and checks the whole again: "panels", "protocol.size",
// "datasets.voc21.root", "methods.clip_surgery.depth" (by label). Items of a list are separated by commas
// ("clip,clip_surgery") or written as YAML ("[clip, {clip_surgery: {depth: 4}}]"). An empty value takes the key
// back to its default. After an error, which is [Faults], s is as before.
func (s *Suite) Set(key, value string) error {
	root := node(writeFields(s, suiteFields))
	placeNodes(root, "", s.places)
	r := newReader(s.File, s.known)
	n := r.setNode(key, value)
	if n != nil {
		undepart(root, key)
		r.put(root, "", key, n)
	}
	if err := r.faults.Err(); err != nil {
		return err
	}
	changed := r.readSuite(root)
	if err := r.faults.Err(); err != nil {
		return err
	}
	*s = *changed
	return nil
}

// undepart takes a key of the protocol, such as "protocol.scale", out of what the tree says of single data sets: set,
// it holds on all of them.
func undepart(root *yaml.Node, key string) {
	name, ok := strings.CutPrefix(key, "protocol.")
	below := func(n *yaml.Node, key string) *yaml.Node {
		for name, value := range pairs(n) {
			if name.Value == key {
				return value
			}
		}
		return &yaml.Node{}
	}
	for _, d := range pairs(below(below(root, "protocol"), "datasets")) {
		for i := 0; ok && i+1 < len(d.Content); i += 2 {
			if d.Content[i].Value == name {
				d.Content = slices.Delete(d.Content, i, i+2)
				break
			}
		}
	}
}

// setNode is a value as YAML, or nil after a fault.
func (r *reader) setNode(key, value string) *yaml.Node {
	value = strings.TrimSpace(value)
	var n *yaml.Node
	switch {
	case strings.HasPrefix(value, "["), strings.HasPrefix(value, "{"):
		sub := newReader("--set "+key, Known{})
		n = sub.parse([]byte(value))
		for _, f := range sub.faults {
			r.faults = append(r.faults, Fault{File: f.File, Message: f.Message})
		}
		if n == nil {
			return nil
		}
	case value != "" && slices.Contains([]string{"datasets", "methods", "metrics"}, key):
		n = &yaml.Node{Kind: yaml.SequenceNode}
		for item := range strings.SplitSeq(value, ",") {
			n.Content = append(n.Content, scalar(strings.TrimSpace(item)))
		}
	default:
		n = scalar(value)
	}
	mark(n)
	return n
}

// scalar is a word as a suite file may say it without quotes: a number, true, nothing; any other is a text.
func scalar(word string) *yaml.Node {
	if word == "" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	}
	r := newReader("", Known{})
	if n := r.parse([]byte(word)); n != nil && len(r.faults) == 0 && isPlain(n) && n.Value == word && !isNull(n) {
		return n
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: word}
}

// mark says that n and all in it came from --set.
func mark(n *yaml.Node) {
	n.Line, n.Column = fromSet, 0
	for _, c := range n.Content {
		mark(c)
	}
}

// put writes value under key, a path of names, into the tree n that stands at the path at.
func (r *reader) put(n *yaml.Node, at, key string, value *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		switch items, rest := findItems(n, key); len(items) {
		case 0:
			r.fault(value, "%s: no item for %s; there are %s", at, quote(key), strings.Join(itemNames(n), ", "))
		case 1:
			r.put(items[0], at, rest, value)
		default:
			r.fault(value, "%s: %d items for %s; give them names in the suite", at, len(items), quote(key))
		}
		return
	}
	name, rest, deeper := strings.Cut(key, ".")
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != name {
			continue
		}
		switch old := n.Content[i+1]; {
		case deeper && old.Kind != yaml.ScalarNode:
			r.put(old, join(at, name), rest, value)
		case deeper:
			r.fault(value, "%s: %s holds one value; set %s itself", join(at, key), join(at, name), join(at, name))
		case isNull(value):
			n.Content = slices.Delete(n.Content, i, i+2)
		default:
			n.Content[i+1] = value
			n.Content[i].Line, n.Content[i].Column = value.Line, value.Column
		}
		return
	}
	if isNull(value) && !deeper {
		return
	}
	// A key that is not there: reading refuses it if it may not be.
	written := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: fromSet}
	if deeper {
		below := &yaml.Node{Kind: yaml.MappingNode, Line: fromSet}
		r.put(below, join(at, name), rest, value)
		value = below
	}
	n.Content = append(n.Content, written, value)
}

// findItems is the items of a written list whose name key begins with, the longest such, and the key that follows.
func findItems(list *yaml.Node, key string) (items []*yaml.Node, rest string) {
	longest := -1
	for i, name := range itemNames(list) {
		after, ok := strings.CutPrefix(key, name+".")
		switch {
		case !ok || len(name) < longest:
		case len(name) == longest:
			items = append(items, list.Content[i])
		default:
			items, rest, longest = list.Content[i:i+1:i+1], after, len(name)
		}
	}
	return items, rest
}

// itemNames is what the items of a written list are called.
func itemNames(list *yaml.Node) []string {
	names := make([]string, len(list.Content))
	for i, item := range list.Content {
		names[i] = item.Value
		if item.Kind == yaml.MappingNode {
			names[i] = item.Content[1].Value // a written item begins with its name, or with its method
		}
	}
	return names
}
