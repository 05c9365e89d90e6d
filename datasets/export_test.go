package datasets

// Queries is [QueriesOf] for a data set that need not be there.
func Queries(dataset, set string) ([][]string, error) {
	entry, err := find(dataset)
	if err != nil {
		return nil, err
	}
	return queries(dataset, set, entry.Classes)
}
