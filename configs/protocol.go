package configs

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// Protocol is all that changes a number and is not the method, the model or the data. It is a value; copies share
// Departures, which nobody changes in place. The zero Protocol measures nothing: take one of [Protocols] and change it.
//
// Published protocols have constants per data set. They are Departures here: what holds on one data set is
// [Protocol.On].
//
// Where Templates, Queries or Experts name a file, the protocol holds its path only; a record of a run needs its
// content beside.
type Protocol struct {
	Name   string // as declared; String adds where it departs from the built-in of that name
	Resize string // how an image meets the network: "squash" to Size, or "short-side", which keeps its shape
	Size   Size   // of the network's input, in pixels; for short-side the shorter side, twice
	Long   int    // short-side: limit of the longer side; 0 for none
	// short-side: sides are enlarged to multiples of this many pixels, bilinearly; 0 leaves them
	Multiple int
	// of Resize: "bicubic", "bilinear", "lanczos", Pillow's, antialiased, or "pillow13-bicubic" and so on; "cv2-linear"
	Filter string
	Mean   string // colours are normalised by the statistics of "clip" or "imagenet"
	Window int    // side of sliding windows in pixels; 0: the network sees the whole input at once
	Stride int    // between windows; without windows of no effect
	// Pad is of windows that are no whole number of patches: "none" leaves the rest out, "patch" puts zeros around,
	// "corner" behind.
	Pad string
	// positional embeddings on other grids: reference (the method's own), bilinear, bicubic, bicubic-size,
	// bicubic-antialias
	Positions string
	Templates string // prompts around a query: none, photo, openai7, openai80, surgery85, or a file
	Queries   string // words of the classes: a query set of the data set, or a file
	// feature surgery, for tasks that rank a class by itself: reference (the method's own), labels, paper, empty,
	// sigmoid, none
	Redundant     string
	Scale         float64 // CLIP's logit scale: factor of the cosines before softmax
	Threshold     float64 // pixels whose best probability is lower become class 0; 0 for none
	AreaThreshold float64 // classes above 0 that win at most this share of such pixels are barred; 0 for none
	// How Threshold makes a pixel background: "" and "probability" as above, "margin" by what the next class says too
	BackgroundRule   string
	Aliases          string  // how the words of a class become its value: "" and "max", "mean" or "lse"
	AliasTau         float64 // of lse, its sharpness; 0 for DefaultAliasTau
	AliasTemperature float64 // of lse: words weigh by what the whole window says of them; 0 for all alike
	Vocabulary       string  // the classes that compete: "" and "all", or "oracle", those of the picture's truth alone
	Experts          string  // a file of class experts ([Experts]), who decide pixels; "" and "none" for nobody
	PAMR             int     // iterations of pixel-adaptive mask refinement; 0 for none
	// a segmenter, prompted by regions of at least this probability, corrects label maps; 0 for none
	SAMRefine float64
	// how values become maps, for tasks that score maps: reference (the method's own), or steps such as minmax-resize
	Ending       string
	DecodeResize string // maps to the size of the truth: "bilinear", or "bilinear-twice" by way of the network's input
	Convention   string // of intersection and union: "mmseg"

	// Of task interactive; the zero values stand for the Default constants.
	PointThreshold float64 // least value, in 0..1, of a point on the object
	PointShrink    int     // maps are reduced by this factor before points are taken
	MaxPoints      int     // on the object, and as many off it; 0 for no limit
	MapThreshold   float64 // what a map says without a segmenter, and what bounds its box

	Departures []Departure
}

// What a protocol that says nothing of points means: the values of CLIP Surgery's code, and half of a map's peak for
// its mask and box, of which nothing is published.
const (
	DefaultPointThreshold = 0.8
	DefaultPointShrink    = 2
	DefaultMapThreshold   = 0.5
)

// The values of BackgroundRule, Aliases and Vocabulary that do something, and the sharpness that VIP
// (arXiv 2605.12325) has on VOC 21.
const (
	BackgroundMargin = "margin"
	AliasesMean      = "mean"
	AliasesLSE       = "lse"
	VocabularyOracle = "oracle"

	DefaultAliasTau = 3
)

// JoinsAliases reports whether the words of a class are joined to one value, where otherwise the best of them counts.
func (p *Protocol) JoinsAliases() bool { return p.Aliases == AliasesMean || p.Aliases == AliasesLSE }

// Tau is AliasTau, or what stands for it.
func (p *Protocol) Tau() float64 { return cmp.Or(p.AliasTau, DefaultAliasTau) }

// Oracle reports whether the truth of a picture says which classes compete for it.
func (p *Protocol) Oracle() bool { return p.Vocabulary == VocabularyOracle }

// HasExperts reports whether class experts decide pixels.
func (p *Protocol) HasExperts() bool { return p.Experts != "" && p.Experts != noExperts }

// WithoutExperts is p where nobody decides pixels beside it.
func (p Protocol) WithoutExperts() Protocol {
	p = p.undeparted("experts")
	p.Experts = ""
	return p
}

// noExperts is the value of Experts that names no file.
const noExperts = "none"

// Decides is the first key by which p goes beyond the plain decision of pixels, which only task segmentation makes; ""
// for none.
func (p *Protocol) Decides() string {
	for _, k := range []struct {
		key, value string
	}{{"background_rule", p.BackgroundRule}, {"aliases", p.Aliases}, {"vocabulary", p.Vocabulary},
		{"experts", p.Experts}} {
		if !slices.Contains([]string{"", "probability", "max", "all", noExperts}, k.value) {
			return k.key
		}
	}
	if p.SAMRefine > 0 {
		return "sam_refine"
	}
	return ""
}

// Departure is where a protocol departs from itself on one data set.
type Departure struct {
	Dataset string
	Keys    []string // as a suite spells them, in the order of Fields
	Values  Protocol // those keys' values; the rest does not count
}

// Size is a height and a width in pixels.
type Size struct{ H, W int }

// String is HxW.
func (s Size) String() string { return fmt.Sprintf("%dx%d", s.H, s.W) }

// The sides of a network's input, in pixels.
const minSide, maxSide = 16, 4096

var sizePattern = regexp.MustCompile(`^([1-9][0-9]{0,4})(?:x([1-9][0-9]{0,4}))?$`)

var sizeKind = kind[Size]{
	read: func(r *reader, n *yaml.Node, at string) (Size, bool) {
		m := sizePattern.FindStringSubmatch(n.Value)
		if n.Kind != yaml.ScalarNode || m == nil {
			r.fault(n, "%s: want a whole number or HxW, got %s", at, describe(n))
			return Size{}, false
		}
		h, _ := strconv.Atoi(m[1])
		w := h
		if m[2] != "" {
			w, _ = strconv.Atoi(m[2])
		}
		if min(h, w) < minSide || max(h, w) > maxSide {
			r.fault(n, "%s: want sides from %d to %d pixels, got %s", at, minSide, maxSide, describe(n))
			return Size{}, false
		}
		return Size{h, w}, true
	},
	write: func(s Size) any {
		if s.H == s.W {
			return s.H
		}
		return s.String()
	},
	schema: func() object {
		return object{{"anyOf", []any{
			object{{"type", "integer"}, {"minimum", minSide}, {"maximum", maxSide}},
			object{{"type", "string"}, {"pattern", "^[0-9]+x[0-9]+$"}},
		}}}
	},
}

var (
	scaleKind = number("above 0, at most 1000", func(v float64) bool { return v > 0 && v <= 1000 },
		object{{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 1000}})
	shareKind = number("above 0, at most 1", func(v float64) bool { return v > 0 && v <= 1 },
		object{{"type", "number"}, {"exclusiveMinimum", 0}, {"maximum", 1}})
	thresholdKind = number("from 0 to below 1", func(v float64) bool { return v >= 0 && v < 1 },
		object{{"type", "number"}, {"minimum", 0}, {"exclusiveMaximum", 1}})
)

// protocolFields is every key of a protocol. All but the name change numbers.
var protocolFields = []field[Protocol]{
	needed(key("name", "what tables call this protocol", func(p *Protocol) *string { return &p.Name }, text(80, false))),
	needed(key("resize", "how an image meets the network: squash fills size and ignores the image's shape, short-side "+
		"keeps it",
		func(p *Protocol) *string { return &p.Resize }, choice([]string{"squash", "short-side"}))),
	needed(key("size", "input of the network in pixels: one number for a square or the shorter side, or HxW",
		func(p *Protocol) *Size { return &p.Size }, sizeKind)),
	needed(key("long", "resize short-side: limit of the longer side in pixels; 0 for none",
		func(p *Protocol) *int { return &p.Long }, whole(0, maxSide))),
	optional(key("multiple", "resize short-side: unless both sides are multiples of this many pixels, they are enlarged "+
		"to some once more, bilinearly; 0 unless written",
		func(p *Protocol) *int { return &p.Multiple }, whole(0, 512)),
		func(p *Protocol) bool { return p.Multiple == 0 }),
	needed(key("filter", "kernel of resize: bicubic, bilinear and lanczos are Pillow's up to 12 and torchvision's, "+
		"antialiased; pillow13- before them is Pillow 13's order of passes; cv2-linear is OpenCV's",
		func(p *Protocol) *string { return &p.Filter }, choice([]string{"bicubic", "bilinear", "lanczos",
			"pillow13-bicubic", "pillow13-bilinear", "pillow13-lanczos", "cv2-linear"}))),
	needed(key("mean", "statistics that normalise the colours: clip or imagenet",
		func(p *Protocol) *string { return &p.Mean }, choice([]string{"clip", "imagenet"}))),
	needed(key("window", "side of sliding windows in pixels; 0 for the whole input",
		func(p *Protocol) *int { return &p.Window }, whole(0, maxSide))),
	needed(key("stride", "pixels between windows; of no effect without windows",
		func(p *Protocol) *int { return &p.Stride }, whole(0, maxSide))),
	needed(key("pad", "where a window is no whole number of patches: none leaves the rest out; patch puts zeros around, "+
		"which the map covers too; corner puts them right and below, and the map is the window's",
		func(p *Protocol) *string { return &p.Pad }, choice([]string{"none", "patch", "corner"}))),
	needed(key("positions", "positional embeddings on other grids; reference is the method's own way",
		func(p *Protocol) *string { return &p.Positions }, choice([]string{"reference", "bilinear", "bicubic", "bicubic-size",
			"bicubic-antialias"}))),
	needed(key("templates", "prompts around a query: none, photo, openai7, openai80, surgery85, or a .txt file",
		func(p *Protocol) *string { return &p.Templates }, choiceOrFile("none", "photo", "openai7", "openai80",
			"surgery85"))),
	needed(key("queries", "words that stand for the classes: a query set (ovbench list datasets) or a .txt file",
		func(p *Protocol) *string { return &p.Queries }, text(1000, false))),
	needed(key("redundant", "feature surgery, for tasks explain and multilabel; reference is the method's own",
		func(p *Protocol) *string { return &p.Redundant }, choice([]string{"reference", "labels", "paper", "empty",
			"sigmoid", "none"}))),
	needed(key("scale", "factor of the cosines before softmax, CLIP's logit scale; matters with a threshold or experts, "+
		"and not to models of a sigmoid loss",
		func(p *Protocol) *float64 { return &p.Scale }, scaleKind)),
	needed(key("threshold", "a pixel whose best probability is lower becomes class 0, background; 0 for none",
		func(p *Protocol) *float64 { return &p.Threshold }, thresholdKind)),
	needed(key("area_threshold",
		"classes but background that win at most this share of the pixels such classes win lose them; 0 for none",
		func(p *Protocol) *float64 { return &p.AreaThreshold }, thresholdKind)),
	optional(key("background_rule",
		"what threshold does: probability, as without this key, or margin: a pixel becomes class 0 where "+
			"p·√(p - p') < threshold^1.25, p and p' being the probabilities of the best class and the next (ActiveSAM)",
		func(p *Protocol) *string { return &p.BackgroundRule }, choice([]string{"probability", BackgroundMargin})),
		func(p *Protocol) bool { return p.BackgroundRule == "" || p.BackgroundRule == "probability" }),
	optional(key("aliases",
		"how the words of a class become its value: max, the best of them, as without this key; mean; or lse, their "+
			"log-sum-exp (VIP). Joined words are one in the softmax",
		func(p *Protocol) *string { return &p.Aliases }, choice([]string{"max", AliasesMean, AliasesLSE})),
		func(p *Protocol) bool { return p.Aliases == "" || p.Aliases == "max" }),
	optional(key("alias_tau", "aliases lse: its sharpness; 3 unless written",
		func(p *Protocol) *float64 { return &p.AliasTau }, scaleKind),
		func(p *Protocol) bool { return p.AliasTau == 0 || p.AliasTau == DefaultAliasTau }),
	optional(key("alias_temperature",
		"aliases lse: words weigh by the softmax of their mean over the window, divided by this; all alike unless written",
		func(p *Protocol) *float64 { return &p.AliasTemperature }, scaleKind),
		func(p *Protocol) bool { return p.AliasTemperature == 0 }),
	optional(key("vocabulary",
		"the classes that compete: all, as without this key, or oracle: those in the picture's truth alone, an upper bound "+
			"that no method reaches by itself",
		func(p *Protocol) *string { return &p.Vocabulary }, choice([]string{"all", VocabularyOracle})),
		func(p *Protocol) bool { return p.Vocabulary == "" || p.Vocabulary == "all" }),
	optional(key("experts", "a .yaml file of class experts (ovbench experts makes it): of each class the templates whose "+
		"predictions of it are surest; the most confident expert that predicts its own class decides a pixel, all templates "+
		"where none does (FLOSS); none, as without this key",
		func(p *Protocol) *string { return &p.Experts }, expertsFile),
		func(p *Protocol) bool { return !p.HasExperts() }),
	needed(key("pamr", "iterations of pixel-adaptive mask refinement; 0 for none",
		func(p *Protocol) *int { return &p.PAMR }, whole(0, 1000))),
	optional(key("sam_refine",
		"a segmenter (segmenter: PATH) corrects label maps: regions of one class prompt it, where the probability is at "+
			"least this (Trident's coarse_thresh); 0, as without this key, for none",
		func(p *Protocol) *float64 { return &p.SAMRefine }, thresholdKind),
		func(p *Protocol) bool { return p.SAMRefine == 0 }),
	optional(key("ending",
		"how values become the maps that tasks explain and faithfulness score: the method's own way (reference, as without "+
			"this key), or steps: relu takes negative values for 0, minmax stretches to 0..1, resize enlarges",
		func(p *Protocol) *string { return &p.Ending }, choice([]string{"reference", "minmax-resize", "resize-minmax",
			"relu-minmax-resize", "relu-minmax-resize-minmax"})),
		func(p *Protocol) bool { return p.Ending == "" || p.Ending == "reference" }),
	needed(key("decode_resize",
		"maps to the size of the truth: bilinear (align_corners=False), or bilinear-twice by way of the network's input, "+
			"as windows are always",
		func(p *Protocol) *string { return &p.DecodeResize }, choice([]string{"bilinear", "bilinear-twice"}, "bicubic",
			"nearest"))),
	needed(key("convention", "how intersection and union are counted",
		func(p *Protocol) *string { return &p.Convention }, choice([]string{"mmseg", "cityscapes", "cocostuff", "ade20k",
			"imagenet_s"}))),
	optional(key("point_threshold",
		"task interactive: least value of a point on the object, in a map from 0 to 1; 0.8 unless written",
		func(p *Protocol) *float64 { return &p.PointThreshold }, shareKind),
		func(p *Protocol) bool { return p.PointThreshold == 0 || p.PointThreshold == DefaultPointThreshold }),
	optional(key("point_shrink",
		"task interactive: maps are reduced by this factor before points are taken; 2 unless written",
		func(p *Protocol) *int { return &p.PointShrink }, whole(1, 64)),
		func(p *Protocol) bool { return p.PointShrink == 0 || p.PointShrink == DefaultPointShrink }),
	optional(key("max_points", "task interactive: points on the object, the surest, and as many off it; 0 for all",
		func(p *Protocol) *int { return &p.MaxPoints }, whole(0, 10_000)),
		func(p *Protocol) bool { return p.MaxPoints == 0 }),
	optional(key("map_threshold",
		"task interactive: what is over this value of a map is its mask without a segmenter, and bounds its box; 0.5 "+
			"unless written",
		func(p *Protocol) *float64 { return &p.MapThreshold }, shareKind),
		func(p *Protocol) bool { return p.MapThreshold == 0 || p.MapThreshold == DefaultMapThreshold }),
}

// allFields are the fields of a protocol with what it says of single data sets.
var allFields = append(slices.Clone(protocolFields), departuresField)

// Field is one line of a protocol as people read it.
type Field struct{ Key, Value, Doc string }

// Fields is everything in p that changes a number, in a fixed order. The last, "datasets", is there only where p has
// departures.
func (p Protocol) Fields() []Field {
	if p.Window == 0 { // what is of no effect does not count
		p.Stride = 0
	}
	if p.Resize != "short-side" {
		p.Long, p.Multiple = 0, 0
	}
	var out []Field
	for _, f := range allFields {
		v, ok := f.write(&p)
		if !ok || f.key == "name" {
			continue
		}
		out = append(out, Field{f.key, fieldText(f.key, v), f.doc})
	}
	return out
}

// fieldText is a written value as people read it.
func fieldText(key string, v any) string {
	switch x := v.(type) {
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case int:
		if key == "size" { // a square
			return Size{x, x}.String()
		}
	case object: // of departures
		var parts []string
		for _, p := range x {
			if o, ok := p.value.(object); ok {
				parts = append(parts, p.key+": "+fieldText("", o))
				continue
			}
			parts = append(parts, p.key+"="+fieldText(p.key, p.value))
		}
		return strings.Join(parts, map[bool]string{true: "; ", false: " "}[key == "datasets"])
	}
	return fmt.Sprint(v)
}

// Fingerprint is the SHA-256, in hexadecimal, of the JSON object {key: value} of Fields with sorted keys.
// Protocols that give equal numbers under different names have equal fingerprints.
func (p Protocol) Fingerprint() string {
	values := map[string]string{}
	for _, f := range p.Fields() {
		values[f.Key] = f.Value
	}
	return fingerprint(values)
}

func fingerprint(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings, finite numbers and lists of them are always JSON
	}
	sum := sha256.Sum256(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return hex.EncodeToString(sum[:])
}

type difference struct{ key, a, b string }

func differences(a, b Protocol) (out []difference) {
	value := func(p Protocol, key string) string {
		for _, f := range p.Fields() {
			if f.Key == key {
				return f.Value
			}
		}
		return "none"
	}
	for _, f := range allFields {
		if x, y := value(a, f.key), value(b, f.key); x != y {
			out = append(out, difference{f.key, x, y})
		}
	}
	return out
}

// String is the name, and where p departs from the built-in protocol of that name: "clip-surgery (size=224x224)".
func (p Protocol) String() string {
	b, ok := builtin(p.Name)
	if !ok {
		return p.Name
	}
	var own []string
	for _, d := range differences(p, b) {
		own = append(own, d.key+"="+d.a)
	}
	if len(own) == 0 {
		return p.Name
	}
	return fmt.Sprintf("%s (%s)", p.Name, strings.Join(own, ", "))
}

// Summary is what a protocol does, on one line.
func (p Protocol) Summary() string {
	parts := []string{p.Resize + " " + p.Size.String()}
	if p.Resize == "short-side" {
		parts[0] = fmt.Sprintf("short side %d", p.Size.H)
	}
	if p.Window > 0 {
		parts = append(parts, fmt.Sprintf("windows of %d at stride %d", p.Window, p.Stride))
	}
	parts = append(parts, "templates "+p.Templates, "queries "+p.Queries)
	if p.Threshold > 0 {
		parts = append(parts, fmt.Sprintf("threshold %g at scale %g", p.Threshold, p.Scale))
		if p.BackgroundRule == BackgroundMargin {
			parts = append(parts, "background by the margin to the next class")
		}
	}
	if p.PAMR > 0 {
		parts = append(parts, "refined by colours")
	}
	if p.SAMRefine > 0 {
		parts = append(parts, "label maps refined by a segmenter")
	}
	if p.JoinsAliases() {
		parts = append(parts, "words of a class joined by "+p.Aliases)
	}
	if p.HasExperts() {
		parts = append(parts, "class experts of "+p.Experts)
	}
	if p.Oracle() {
		parts = append(parts, "ORACLE VOCABULARY")
	}
	out := strings.Join(parts, ", ")
	var on []string
	for _, d := range p.Departures {
		on = append(on, d.Dataset)
	}
	if len(on) > 0 {
		out += "; departs from this on " + strings.Join(on, ", ")
	}
	return out
}

//go:embed protocols.yaml
var protocolsYAML []byte

// Protocols lists the protocols of protocols.yaml in its order. The list belongs to the caller.
func Protocols() []Protocol { return slices.Clone(protocols()) }

var protocols = sync.OnceValue(func() []Protocol {
	out, faults := parseProtocols("configs/protocols.yaml", protocolsYAML)
	if err := faults.Err(); err != nil {
		panic(err) // the file is compiled in, and a test reads it
	}
	return out
})

func parseProtocols(file string, data []byte) ([]Protocol, Faults) {
	r := newReader(file, Known{})
	root := r.parse(data)
	if root == nil {
		return nil, r.faults
	}
	var out []Protocol
	for name, value := range pairs(root) {
		p := Protocol{Name: name.Value}
		readFields(r, value, name.Value, &p, allFields[1:], true)
		r.checkProtocol(value, name.Value, p)
		out = append(out, p)
	}
	return out, r.faults
}

func builtin(name string) (Protocol, bool) {
	for _, p := range protocols() {
		if p.Name == name {
			return p, true
		}
	}
	return Protocol{}, false
}

func protocolNames() (names []string) {
	for _, p := range protocols() {
		names = append(names, p.Name)
	}
	return names
}

// protocolKind is a protocol in a suite: a name, or a mapping with a base and what departs from it, or a
// mapping with every key.
var protocolKind = kind[Protocol]{
	read:  readProtocol,
	write: func(p Protocol) any { return writeFields(&p, allFields) },
	schema: func() object {
		base := field[Protocol]{key: "base", doc: "the protocol to start from",
			schema: func() object { return object{{"enum", protocolNames()}} }}
		return object{{"anyOf", []any{object{{"enum", protocolNames()}},
			mapping(append([]field[Protocol]{base}, allFields...), false)}}}
	},
}

func readProtocol(r *reader, n *yaml.Node, at string) (Protocol, bool) {
	before := len(r.faults)
	var p Protocol
	base := func(n *yaml.Node, at string) {
		ok := n.Kind == yaml.ScalarNode
		if ok {
			p, ok = builtin(n.Value)
		}
		if !ok {
			r.fault(n, "%s: %s %s (ovbench list protocols)", at, describe(n), notKnown(n.Value, protocolNames()))
		}
	}
	switch n.Kind {
	case yaml.ScalarNode:
		base(n, at)
	case yaml.MappingNode:
		based := false
		for name, value := range pairs(n) {
			if name.Value == "base" && !based && !isNull(value) {
				based = true
				base(value, join(at, "base"))
			}
		}
		missing := slices.DeleteFunc(required(protocolFields), func(k string) bool { return hasKey(n, k) })
		if !based && len(missing) > 0 {
			r.fault(n, "%s lacks %s; write base: %s and only what departs from it (ovbench list protocols)", at,
				strings.Join(missing, ", "), protocols()[0].Name)
		}
		// The base was read before the keys that depart from it, wherever it stands. What is written for all data
		// sets holds on all of them, whatever the base says of one.
		for name := range pairs(n) {
			p = p.undeparted(name.Value)
		}
		done := field[Protocol]{key: "base", read: func(*reader, *yaml.Node, string, *Protocol) {}}
		readFields(r, n, at, &p, append(slices.Clone(allFields), done), false)
	default:
		r.fault(n, "%s: want a name or a mapping with a base, got %s (ovbench list protocols)", at, describe(n))
	}
	if len(r.faults) == before {
		r.checkProtocol(n, at, p)
	}
	return p, len(r.faults) == before
}
