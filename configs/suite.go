// Package configs answers: what is measured?
//
// A [Suite] is a run spelled out in YAML: model, data sets, methods and the [Protocol], all that changes
// a number beside them. [Load] reads a file or a built-in suite; every key is checked, and all faults come
// at once, each as file:line: message; remedy.
//
// The package knows no method and no data set. The caller hands over what there is as [Known], and gets
// faults about names with lines and the nearest known name.
//
// Each mapping is described once, as a list of fields (suiteFields, protocolFields …). Reading, [Suite.Set],
// [Suite.Canonical], [Protocol.Fingerprint] and [Schema] all follow from these lists: to add a key, add
// its field.
package configs

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Suite is a run, spelled out. Get one from [Load] or [Parse]; one may be read by many goroutines.
type Suite struct {
	Name       string // of letters, digits and - _ . ; the file's name unless written
	Title, Doc string
	Model      Model   // without a path: left to --model
	Models     []Model // in place of Model: the suite is measured with each, as if by itself
	// further networks that methods ask for, by the names they ask with; nil for none. See [Suite.Path]
	Backbones map[string]string
	Segmenter string // a Segment Anything model, for those that cut out objects; "" leaves it to --segmenter, if any
	Task      string // segmentation, explain, multilabel, faithfulness or interactive
	Datasets  []Dataset
	Methods   []Method
	Grow      bool // methods that read backbones join Methods where these are given; see engine.Grow
	Protocol  Protocol
	Metrics   []string // empty for all of the task
	Panels    int      // images per data set whose pictures are kept
	Seed      uint64   // of all that is drawn at random
	Resamples int      // of the bootstrap; 0 for no intervals

	File string // as given to Load or Parse; what is relative in the suite is relative to its folder

	known  Known
	places map[string]place
}

// Model is the image-text model of a suite.
type Model struct {
	Name string // what folders and tables call it; "" for what Path says
	Path string // Hugging Face name or directory, .safetensors or .pt file, or demo
}

// Dataset is one data set of a suite.
type Dataset struct {
	Name    string // which one it is
	ID      string // what records and tables call it, unique in a suite; "" for Name. See [Dataset.Label]
	Title   string // a line for people; "" for its own
	Root    string // directory; "" leaves it to --data. See [Suite.Path]
	Split   string // "" for the usual evaluation split
	Queries string // "" for the protocol's
	Experts string `json:",omitempty"` // "" for the protocol's
	Limit   int    // first images only; 0 for all

	LabelNames   string // a file that says what stored numbers mean
	LabelledOnly bool   // leave out images without labels
	ApplyEXIF    bool   // turn pictures as their EXIF orientation says
	Regions      string `json:",omitempty"` // folder of masks of regions, for methods that read them

	// Of the data set folder, relative to Root. Zero values are its defaults.
	Images, Labels, Classes, List string
	ImageSuffix, LabelSuffix      string
	Ignore                        int
	ReduceZero, Background        bool
}

// Label is what records and tables call a data set.
func (d Dataset) Label() string { return cmp.Or(d.ID, d.Name) }

// Method is one method of a suite.
type Method struct {
	Name   string         // label in tables, unique in a suite
	Kind   string         // which method it is
	Params map[string]any // as written: bool, int, float64, string or []any of these; nil for none
}

// Known is what a suite may name. A nil map or list is not checked.
type Known struct {
	Methods  map[string][]string // names of the parameters, by kind
	Datasets []string
	Queries  map[string][]string // query sets, by data set
	Metrics  map[string][]string // by task
}

// DemoRoot is the root of a data set whose pictures are built in.
const DemoRoot = "<demo>"

// Tasks that a suite may name.
var tasks = []string{"segmentation", "explain", "multilabel", "faithfulness", "interactive"}

var suiteFields = []field[Suite]{
	key("name", "names the results: letters, digits, - _ and .", func(s *Suite) *string { return &s.Name }, nameKind),
	optional(key("title", "one line for people", func(s *Suite) *string { return &s.Title }, text(200, false)),
		func(s *Suite) bool { return s.Title == "" }),
	optional(key("doc", "what the suite is for", func(s *Suite) *string { return &s.Doc }, text(10_000, true)),
		func(s *Suite) bool { return s.Doc == "" }),
	optional(key("model", "Hugging Face name or directory, .safetensors or .pt file, or demo; or {name: label, model: it}",
		func(s *Suite) *Model { return &s.Model }, modelKind),
		func(s *Suite) bool { return s.Model == Model{} }),
	optional(key("models",
		"several in place of model, for example [openai/clip-vit-base-patch16, {name: mine, model: mine.pt}]: one run of "+
			"each",
		func(s *Suite) *[]Model { return &s.Models },
		list(modelKind, "[openai/clip-vit-base-patch16, mine.pt]", "model", "give each a name of its own: {name: NAME, model: …}",
			func(m Model) string { return cmp.Or(m.Name, m.Path) })),
		func(s *Suite) bool { return len(s.Models) == 0 }),
	optional(key("backbones", "further networks that methods read, for example {dino: facebook/dino-vitb8}",
		func(s *Suite) *map[string]string { return &s.Backbones }, namedTexts("{dino: facebook/dino-vitb8}")),
		func(s *Suite) bool { return len(s.Backbones) == 0 }),
	optional(key("segmenter",
		"Segment Anything model of task interactive, and of protocol.sam_refine: a .pth file, a directory, a name in the Hugging Face cache, or "+
			"encoder.onnx,decoder.onnx", func(s *Suite) *string { return &s.Segmenter }, text(1000, false)),
		func(s *Suite) bool { return s.Segmenter == "" }),
	key("task", "what is measured", func(s *Suite) *string { return &s.Task }, choice(tasks)),
	needed(key("datasets", "the images, for example [voc20] (ovbench list datasets)",
		func(s *Suite) *[]Dataset { return &s.Datasets },
		list(datasetKind, "[voc20]", "data set", "give each an id of its own: {name: …, id: ID}", Dataset.Label))),
	needed(key("methods", "what reads the model, for example [clip, clip_surgery] (ovbench list methods)",
		func(s *Suite) *[]Method { return &s.Methods },
		list(methodKind, "[clip, clip_surgery]", "label", "give each a name of its own: {name: NAME, method: …}",
			func(m Method) string { return m.Name }))),
	optional(key("grow",
		"methods that read backbones join the list where a run is given these (--backbone, backbones)",
		func(s *Suite) *bool { return &s.Grow }, toggle), func(s *Suite) bool { return !s.Grow }),
	needed(key("protocol", "how it is measured, for example clip-surgery (ovbench list protocols)",
		func(s *Suite) *Protocol { return &s.Protocol }, protocolKind)),
	optional(key("metrics", "the scores of cells, in this order; all of the task unless written (ovbench list metrics)",
		func(s *Suite) *[]string { return &s.Metrics },
		list(metricName, "[mIoU]", "metric", once, func(m string) string { return m })),
		func(s *Suite) bool { return len(s.Metrics) == 0 }),
	key("panels", "images per data set whose pictures are kept", func(s *Suite) *int { return &s.Panels }, whole(0, 1000)),
	key("seed", "of all that is drawn at random", func(s *Suite) *uint64 { return &s.Seed }, seed),
	key("resamples", "of the bootstrap behind the intervals; 0 for none", func(s *Suite) *int { return &s.Resamples },
		whole(0, 1_000_000)),
}

var (
	goodName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	badRune  = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
)

// nameKind is a name that may be part of a file's name.
var nameKind = func() kind[string] {
	k := text(80, false)
	word := k.read
	k.read = func(r *reader, n *yaml.Node, at string) (string, bool) {
		s, ok := word(r, n, at)
		if ok && !goodName.MatchString(s) {
			r.fault(n, "%s: want letters, digits, - _ and . only, got %s", at, quote(s))
			return "", false
		}
		return s, ok
	}
	k.schema = func() object { return object{{"type", "string"}, {"pattern", goodName.String()}} }
	return k
}()

// readSuite is the suite in the mapping root.
func (r *reader) readSuite(root *yaml.Node) *Suite {
	s := &Suite{Name: stem(r.file), Task: tasks[0], Panels: 4, Resamples: 2000, File: r.file, known: r.known,
		places: r.places}
	if root.Kind != yaml.MappingNode {
		r.fault(root, "want a mapping with %s, got %s", strings.Join(required(suiteFields), ", "), describe(root))
		return s
	}
	readFields(r, root, "", s, suiteFields, true)
	if p := r.places["models"]; s.Model != (Model{}) && len(s.Models) > 0 {
		r.fault(&yaml.Node{Line: p.line, Column: p.column}, "model and models are both written; delete one")
	}
	for i, m := range s.Metrics {
		if of := r.known.Metrics[s.Task]; r.known.Metrics != nil && !slices.Contains(of, m) {
			p := r.places[fmt.Sprintf("metrics[%d]", i)]
			r.fault(&yaml.Node{Line: p.line, Column: p.column}, "metric %s is none of task %s; it has %s", quote(m), s.Task,
				strings.Join(of, ", "))
		}
	}
	for i, d := range s.Datasets {
		set := s.ProtocolOf(d).Queries
		if known, ok := r.known.Queries[d.Name]; ok && d.Queries == "" && set != "" && !IsFile(set) &&
			!slices.Contains(known, set) {
			p := r.places[fmt.Sprintf("datasets[%d]", i)]
			r.fault(&yaml.Node{Line: p.line, Column: p.column}, "%s: query set %s of the protocol %s (ovbench list datasets)",
				d.Name, quote(set), notKnown(set, known))
		}
	}
	return s
}

// stem is a file's name as a suite's.
func stem(file string) string {
	base := filepath.Base(file)
	base = strings.TrimSuffix(base, filepath.Ext(base))
	base = strings.TrimLeft(badRune.ReplaceAllString(base, "-"), "-_.")
	if base == "" {
		return "suite"
	}
	return base[:min(len(base), 80)]
}

// IsFile reports whether a word for queries or templates names a file: it has a path separator or ends in .txt.
func IsFile(word string) bool {
	return strings.ContainsAny(word, `/\`) || strings.HasSuffix(word, ".txt")
}

// Path is a path of the suite as seen from the working directory: relative to the suite's folder unless it is
// absolute. "" and [DemoRoot] are themselves.
func (s *Suite) Path(name string) string {
	name = Home(name)
	if name == "" || name == DemoRoot || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(s.File), name)
}

// Home is a path whose ~, $HOME or ${HOME} at the beginning is the user's home folder, as a shell has it.
func Home(name string) string {
	for _, mark := range []string{"~", "$HOME", "${HOME}"} {
		rest, ok := strings.CutPrefix(name, mark)
		if home, err := os.UserHomeDir(); ok && err == nil && (rest == "" || rest[0] == '/') {
			return filepath.Join(home, rest)
		}
	}
	return name
}

// Words is a value of Queries or Templates as the working directory sees it: the Path of a file, a name as it is.
func (s *Suite) Words(word string) string {
	if IsFile(word) {
		return s.Path(word)
	}
	return word
}

// ProtocolOf is the protocol as it holds on one data set, with the queries and experts of its own that the set has.
func (s *Suite) ProtocolOf(d Dataset) Protocol {
	p := s.Protocol.On(d.Name)
	if d.Queries != "" {
		p.Queries = d.Queries
	}
	if d.Experts != "" {
		p.Experts = d.Experts
	}
	return p
}

// Fault is something wrong with what the suite says at path, such as "model", "protocol.size" or
// "datasets[0].root", found by whoever used it. It stands where the path, or what it is part of, was written.
func (s *Suite) Fault(path, format string, args ...any) Fault {
	message := fmt.Sprintf(format, args...)
	for path != "" {
		if p, ok := s.places[path]; ok && p.line != 0 {
			return faultAt(s.File, p, message)
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return Fault{File: s.File, Message: message}
}

// Canonical is the suite as YAML with everything spelled out. [Parse] gives an equal suite from it.
func (s *Suite) Canonical() []byte {
	out, err := yaml.Dump(node(writeFields(s, suiteFields)), yaml.WithLineWidth(-1))
	if err != nil {
		panic(err) // scalars, lists and mappings are always YAML
	}
	return out
}

// Fingerprint is the SHA-256, in hexadecimal, of all that may change a result: not names and texts for people,
// not where the data lies, not the number of pictures.
func (s *Suite) Fingerprint() string { return fingerprint(writeFields(s.impersonal(), suiteFields)) }

// RecordsFingerprint is Fingerprint less the keys that only scoring reads, how many samples are measured, and the
// names of networks, which are known by their weights: a record depends on all the rest. A key is part of it unless
// it is taken out here.
func (s *Suite) RecordsFingerprint() string {
	c := s.impersonal()
	c.Model, c.Models, c.Backbones, c.Segmenter = Model{}, nil, nil, ""
	c.Metrics, c.Seed, c.Resamples, c.Protocol.Convention = nil, 0, 0, ""
	for i := range c.Datasets {
		c.Datasets[i].Limit = 0
	}
	return fingerprint(writeFields(c, suiteFields))
}

// impersonal is a copy without names and texts for people, places and pictures.
func (s *Suite) impersonal() *Suite {
	c := *s
	c.Name, c.Title, c.Doc, c.Panels, c.Protocol.Name, c.Model.Name = "", "", "", 0, "", ""
	c.Grow = false // the methods say it
	c.Models = slices.Clone(s.Models)
	for i := range c.Models {
		c.Models[i].Name = ""
	}
	c.Datasets = slices.Clone(s.Datasets)
	for i := range c.Datasets {
		c.Datasets[i].Root, c.Datasets[i].Regions, c.Datasets[i].Title = "", "", ""
	}
	return &c
}
