package config

// log checks how a daemon logs.
func (c *checker) log(raw *rawLog) Log {
	return Log{
		Level: preset(c, "log.level", raw.Level, logLevel),
		JSON:  preset(c, "log.json", raw.JSON, logJSON),
	}
}
