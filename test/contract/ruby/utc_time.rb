module MoneyKit
  # Reads a timestamp of the contract. Without a zone it is UTC, where Time would read it as local time.
  module UTCTime
    def self.build_from_hash(at)
      Time.iso8601(at.match?(/(Z|[+-]\d\d:\d\d)\z/i) ? at : "#{at}Z")
    end
  end
end
