package configs

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Experts is a file of class experts (FLOSS, arXiv 2504.10487): of each class the templates by which a method's
// predictions of it are surest, found on pictures without looking at their labels. It says what it was made of, so that
// who decides pixels by it can refuse a file of something else. ovbench experts makes it.
type Experts struct {
	Version   int // [ExpertsVersion]
	Model     ExpertModel
	Networks  []ExpertModel // beside the model, by the names that methods ask with
	Templates ExpertTemplates
	Datasets  []ExpertSet

	File, SHA256 string // where it was read, and its hash; not in the file
}

// ExpertsVersion is that of the format.
const ExpertsVersion = 1

// ExpertModel is a network by the hashes of its files, in hexadecimal.
type ExpertModel struct {
	Name    string
	Weights []string
}

// ExpertTemplates is the list that experts are chosen from.
type ExpertTemplates struct {
	Name   string // as protocols say it
	Count  int
	SHA256 string // of the templates, each ended by a newline
}

// ExpertSet is what was found on the pictures of one data set.
type ExpertSet struct {
	Name     string
	Split    string
	Samples  string // indices, as ranges
	Pictures int    // behind the entropies
	Protocol string // in words
	Scale    float64
	Classes  []ExpertClass // by label
	Methods  []ExpertMethod
}

// ExpertClass is a class and its words.
type ExpertClass struct {
	Name  string
	Words []string
}

// ExpertMethod is the experts by which one method reads.
type ExpertMethod struct {
	Kind, Params, Positions string
	Classes                 []ClassExperts // of classes that were predicted at all, ascending by label
}

// ClassExperts are the experts of a class, the surest first.
type ClassExperts struct {
	Class   string
	Experts []Expert
}

// Expert is a template with the mean entropy, in nats, of the points where it predicts the class, and their number.
type Expert struct {
	Template string
	Entropy  float64
	Points   int
}

// maxExperts is how many bytes a file of experts may have.
const maxExperts = 1 << 24

var (
	expertsName = regexp.MustCompile(`\.ya?ml$|^` + noExperts + `$`)
	sha256Name  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// expertsFile is the path of such a file, or none.
var expertsFile = func() kind[string] {
	k := matching(expertsName, "a .yaml file (ovbench experts makes one) or none")
	k.schema = func() object { return object{{"type", "string"}, {"pattern", expertsName.String()}} }
	return k
}()

// record is a mapping with every needed field.
func record[T any](fields []field[T]) kind[T] {
	return kind[T]{
		read: func(r *reader, n *yaml.Node, at string) (v T, ok bool) {
			if n.Kind != yaml.MappingNode {
				r.fault(n, "%s: want a mapping with %s, got %s", at, strings.Join(required(fields), ", "), describe(n))
				return v, false
			}
			before := len(r.faults)
			readFields(r, n, at, &v, fields, true)
			return v, len(r.faults) == before
		},
		write:  func(v T) any { return writeFields(&v, fields) },
		schema: func() object { return mapping(fields, true) },
	}
}

// matching is a text of a form, which want says.
func matching(form *regexp.Regexp, want string) kind[string] {
	k := text(1000, false)
	word := k.read
	k.read = func(r *reader, n *yaml.Node, at string) (string, bool) {
		s, ok := word(r, n, at)
		if ok && !form.MatchString(s) {
			r.fault(n, "%s: want %s, got %s", at, want, quote(s))
			return "", false
		}
		return s, ok
	}
	return k
}

func itself(s string) string { return s }

var (
	line    = text(1000, false)
	hashed  = matching(sha256Name, "a SHA-256 of 64 digits")
	counted = whole(0, 1_000_000_000_000)
	atLeast = number("of 0 or more", func(v float64) bool { return v >= 0 }, nil)

	expertModelFields = []field[ExpertModel]{
		needed(key("name", "", func(m *ExpertModel) *string { return &m.Name }, line)),
		needed(key("sha256", "", func(m *ExpertModel) *[]string { return &m.Weights },
			list(hashed, "[…]", "file", once, itself))),
	}
	expertTemplatesFields = []field[ExpertTemplates]{
		needed(key("name", "", func(t *ExpertTemplates) *string { return &t.Name }, line)),
		needed(key("count", "", func(t *ExpertTemplates) *int { return &t.Count }, counted)),
		needed(key("sha256", "", func(t *ExpertTemplates) *string { return &t.SHA256 }, hashed)),
	}
	expertClassFields = []field[ExpertClass]{
		needed(key("class", "", func(c *ExpertClass) *string { return &c.Name }, line)),
		needed(key("words", "", func(c *ExpertClass) *[]string { return &c.Words },
			list(line, "[dog]", "word", once, itself))),
	}
	expertFields = []field[Expert]{
		needed(key("template", "", func(e *Expert) *string { return &e.Template }, line)),
		needed(key("entropy", "", func(e *Expert) *float64 { return &e.Entropy }, atLeast)),
		needed(key("points", "", func(e *Expert) *int { return &e.Points }, counted)),
	}
	classExpertsFields = []field[ClassExperts]{
		needed(key("class", "", func(c *ClassExperts) *string { return &c.Class }, line)),
		needed(key("experts", "", func(c *ClassExperts) *[]Expert { return &c.Experts },
			list(record(expertFields), "[{template: a photo of a {}., …}]", "template", once,
				func(e Expert) string { return e.Template }))),
	}
	expertMethodFields = []field[ExpertMethod]{
		needed(key("method", "", func(m *ExpertMethod) *string { return &m.Kind }, line)),
		optional(key("params", "", func(m *ExpertMethod) *string { return &m.Params }, line),
			func(m *ExpertMethod) bool { return m.Params == "" }),
		needed(key("positions", "", func(m *ExpertMethod) *string { return &m.Positions }, line)),
		needed(key("classes", "", func(m *ExpertMethod) *[]ClassExperts { return &m.Classes },
			list(record(classExpertsFields), "[{class: dog, experts: […]}]", "class", once,
				func(c ClassExperts) string { return c.Class }))),
	}
	expertSetFields = []field[ExpertSet]{
		needed(key("name", "", func(s *ExpertSet) *string { return &s.Name }, line)),
		needed(key("split", "", func(s *ExpertSet) *string { return &s.Split }, line)),
		needed(key("samples", "", func(s *ExpertSet) *string { return &s.Samples }, text(100_000, false))),
		needed(key("pictures", "", func(s *ExpertSet) *int { return &s.Pictures }, counted)),
		needed(key("protocol", "", func(s *ExpertSet) *string { return &s.Protocol }, line)),
		needed(key("scale", "", func(s *ExpertSet) *float64 { return &s.Scale }, scaleKind)),
		needed(key("classes", "", func(s *ExpertSet) *[]ExpertClass { return &s.Classes },
			list(record(expertClassFields), "[{class: dog, words: [dog]}]", "class", once,
				func(c ExpertClass) string { return c.Name }))),
		needed(key("methods", "", func(s *ExpertSet) *[]ExpertMethod { return &s.Methods },
			list(record(expertMethodFields), "[{method: clip, …}]", "method", once, ExpertMethod.String))),
	}
	expertsFields = []field[Experts]{
		needed(key("experts", "version of the format", func(e *Experts) *int { return &e.Version },
			whole(ExpertsVersion, ExpertsVersion))),
		needed(key("model", "", func(e *Experts) *ExpertModel { return &e.Model }, record(expertModelFields))),
		optional(key("networks", "", func(e *Experts) *[]ExpertModel { return &e.Networks },
			list(record(expertModelFields), "[{name: dino, …}]", "network", once,
				func(m ExpertModel) string { return m.Name })),
			func(e *Experts) bool { return len(e.Networks) == 0 }),
		needed(key("templates", "", func(e *Experts) *ExpertTemplates { return &e.Templates },
			record(expertTemplatesFields))),
		needed(key("datasets", "", func(e *Experts) *[]ExpertSet { return &e.Datasets },
			list(record(expertSetFields), "[{name: voc20, …}]", "data set", once,
				func(s ExpertSet) string { return s.Name }))),
	}
)

// String is the method with its parameters.
func (m ExpertMethod) String() string {
	return strings.TrimSpace(m.Kind + " " + m.Params)
}

// ReadExperts reads a file of class experts. Errors about the content are [Faults].
func ReadExperts(path string) (*Experts, error) {
	data, err := readFile(path, maxExperts)
	if err != nil {
		return nil, err
	}
	return parseExperts(path, data)
}

func parseExperts(path string, data []byte) (*Experts, error) {
	r := newReader(path, Known{})
	r.most = maxExperts
	root := r.parse(data)
	if root == nil {
		return nil, r.faults.Err()
	}
	if root.Kind != yaml.MappingNode || !hasKey(root, "experts") {
		r.fault(root, "no file of class experts, which begins with experts: %d (ovbench experts makes one)", ExpertsVersion)
		return nil, r.faults.Err()
	}
	e, _ := record(expertsFields).read(r, root, "")
	if err := r.faults.Err(); err != nil {
		return nil, err
	}
	e.File, e.SHA256 = path, fmt.Sprintf("%x", sha256.Sum256(data))
	return &e, nil
}

// Write is the file: [ReadExperts] gives equal experts from it.
func (e *Experts) Write() []byte {
	n := node(writeFields(e, expertsFields))
	onOneLine(n)
	out, err := yaml.Dump(n, yaml.WithLineWidth(-1))
	if err != nil {
		panic(err) // scalars, lists and mappings are always YAML
	}
	const head = `# Class experts (FLOSS, arXiv 2504.10487): of each class the templates by which
# a method's predictions of it have the least mean entropy, in nats, found without labels.
# Pixels are decided by them with protocol.experts, or experts: in a data set.
`
	return append([]byte(head), out...)
}

// onOneLine writes on a line lists of words, and mappings that hold nothing but words and such lists. It gives the
// levels below n.
func onOneLine(n *yaml.Node) (levels int) {
	for _, c := range n.Content {
		levels = max(levels, 1+onOneLine(c))
	}
	if levels == 1 || levels == 2 && n.Kind == yaml.MappingNode {
		n.Style |= yaml.FlowStyle
	}
	return levels
}

// JSON is what the file says.
func (e *Experts) JSON() ([]byte, error) {
	return json.MarshalIndent(writeFields(e, expertsFields), "", "  ")
}

// Set is what the file says of a data set of those classes and words: of that name, or of another whose classes are the
// same. The error says why it says nothing.
func (e *Experts) Set(name string, classes []ExpertClass) (*ExpertSet, error) {
	var names []string
	var found, named *ExpertSet
	for i := range e.Datasets {
		s := &e.Datasets[i]
		names = append(names, s.Name)
		if s.Name == name {
			named = s
		}
		if slices.EqualFunc(s.Classes, classes, ExpertClass.equal) && (found == nil || s.Name == name) {
			found = s
		}
	}
	switch {
	case found != nil:
		return found, nil
	case named == nil:
		return nil, fmt.Errorf("%s has class experts of %s, not of %s or its classes and words", e.File,
			strings.Join(names, ", "), name)
	}
	for i, c := range classes {
		if i < len(named.Classes) && !named.Classes[i].equal(c) {
			return nil, fmt.Errorf("%s has class experts of other classes or words on %s: class %d is %s there, and %s here",
				e.File, name, i, named.Classes[i], c)
		}
	}
	return nil, fmt.Errorf("%s has class experts of %d classes on %s, which are %d here", e.File, len(named.Classes), name,
		len(classes))
}

func (c ExpertClass) equal(o ExpertClass) bool {
	return c.Name == o.Name && slices.Equal(c.Words, o.Words)
}

// String is the class with its words, as class lists write it.
func (c ExpertClass) String() string { return c.Name + " (" + strings.Join(c.Words, " | ") + ")" }

// Method is what the file says of a method, or why it says nothing of it.
func (s *ExpertSet) Method(m ExpertMethod) (*ExpertMethod, error) {
	var known []string
	for i := range s.Methods {
		if o := &s.Methods[i]; o.Kind == m.Kind && o.Params == m.Params && o.Positions == m.Positions {
			return o, nil
		}
		known = append(known, s.Methods[i].String()+" at "+s.Methods[i].Positions+" positions")
	}
	return nil, fmt.Errorf("it has class experts on %s of %s, not of %s at %s positions", s.Name,
		strings.Join(known, "; "), m, m.Positions)
}
