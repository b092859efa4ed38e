# The contract in Ruby, through OpenAPI Generator and faraday.
require 'minitest/autorun'
require 'every_field'

ENV['TZ'] = 'America/New_York' # so that a timestamp that is read as local time fails

require 'moneykit'
require 'utc_time'

URL, CLIENT_ID, CLIENT_SECRET = ENV.values_at('MONEYKIT_URL', 'MONEYKIT_CLIENT_ID', 'MONEYKIT_CLIENT_SECRET')

form = { grant_type: 'client_credentials', client_id: CLIENT_ID, client_secret: CLIENT_SECRET }
response = Faraday.post("#{URL}/auth/token", form)

MoneyKit.configure do |config|
  config.scheme, config.host = URL.split('://')
  config.access_token = JSON.parse(response.body).fetch('access_token')
end
MoneyKit::ApiClient.default.default_headers['MoneyKit-Version'] = '2023-02-18'

session = MoneyKit::LinkSessionApi.new.create_link_session(
  MoneyKit::CreateLinkSessionRequest.new({ customer_user: MoneyKit::LinkSessionCustomerUser.new({ id: 'user-42' }),
                                           redirect_uri: 'https://yourdomain.com/oauth.html' })
)
puts session.link_session_token # goes to MoneyKit Connect, which returns an exchangeable token

class ContractTest < Minitest::Test
  def api = MoneyKit::LinkSessionApi.new

  def request(id: 'user-42', **fields)
    MoneyKit::CreateLinkSessionRequest.new(
      customer_user: MoneyKit::LinkSessionCustomerUser.new(id: id),
      redirect_uri: 'https://yourdomain.com/oauth.html', **fields
    )
  end

  def sandbox(path, body) = Faraday.post("#{URL}/sandbox/#{path}", JSON.generate(body), 'Content-Type' => 'application/json')

  # Creates a session and completes it as its end user would; returns the exchangeable token.
  def completed(request)
    session = api.create_link_session(request)
    JSON.parse(sandbox('complete', link_session_token: session.link_session_token).body).fetch('exchangeable_token')
  end

  def exchange(token) = api.exchange_token(MoneyKit::ExchangeTokenRequest.new(exchangeable_token: token)).link

  def prepared(name)
    sandbox('fail', operation: 'exchange_token', status: 201, body: File.read("../wire/#{name}"))
    exchange('any')
  end

  # The error of a call that fails, and its decoded body.
  def failure(status, code, &)
    error = assert_raises(MoneyKit::ApiError, &)
    body = JSON.parse(error.response_body)
    assert_equal [status, code], [error.code, body['error_code']]
    [error, body]
  end

  def test_a_session_becomes_a_link_once
    token = completed(request)
    link = exchange(token)
    assert_equal [MoneyKit::PublicLinkState::CONNECTED, MoneyKit::Provider::MONEYKIT], [link.state, link.provider]
    failure(400, 'link_session_error.invalid_token_exchange') { exchange(token) }
  end

  def test_every_field_is_sent
    link = exchange(completed(request))
    assert_equal ['smoke_test', 'user_type:admin'], exchange(completed(every_field(link.link_id))).link_tags
  end

  def test_a_wrong_token_is_rejected
    headers = { header_params: { 'Authorization' => 'Bearer wrong' }, debug_auth_names: [] }
    failure(401, 'api_error.auth.unauthorized') { api.create_link_session(request, headers) }
  end

  def test_an_invalid_request_names_the_fields
    _, body = failure(422, 'api_error.request.validation_failed') do
      api.create_link_session(request(link_tags: ['fine', '-']))
    end
    problems = MoneyKit::HTTPValidationError.build_from_hash(body.transform_keys(&:to_sym)).validation_errors
    assert_equal [['body', 'link_tags', 1]], problems.map(&:location)
  end

  def test_the_rate_limit_says_how_long_to_wait
    20.times { api.create_link_session(request(id: 'hasty')) }
    error, = failure(429, 'api_error.rate_limit_exceeded') { api.create_link_session(request(id: 'hasty')) }
    assert_match(/\A\d+\z/, error.response_headers['Retry-After'])
  end

  def test_unknown_values_are_kept
    link = prepared('unknown-link.json')
    assert_equal %w[bank_of_tomorrow paused bank_on_holiday], [link.provider, link.state, link.error_code]
    assert_equal 'moon_phase', link.products.accounts.error_code
    assert_equal %w[accounts loans], link.available_products
    times = [link.last_synced_at, link.products.accounts.refreshed_at, link.products.accounts.last_attempted_at]
    assert_equal [Time.utc(2023, 2, 16, 9, 14, 11)], times.uniq
  end

  def test_null_reads_as_absent
    link = prepared('null-link.json')
    assert_empty [link.provider, link.error_code, link.last_synced_at, link.link_tags, link.products.identity].compact
    assert_nil link.products.account_numbers.settings.prefetch
  end

  # Decodes an event; nil for one that the contract does not have.
  def event(file)
    MoneyKit::LinkWebhookEvent.build(JSON.parse(File.read("../wire/events/#{file}.json"), symbolize_names: true))
  end

  def test_events
    events = %w[link-state-changed link-product-refresh transactions-updates-available].map { |file| event(file) }
    assert_equal %w[link.state_changed link.product_refresh transactions.updates_available], events.map(&:webhook_event)
    events.each do |event|
      assert_equal ['mk_eqkWN34UEoa2NxyALG8pcV', %w[smoke_test user_type:admin]], [event.link_id, event.link_tags]
      assert_equal Time.utc(2023, 2, 16, 9, 14, 11), event.webhook_timestamp
    end
    changed, refresh, transactions = events
    assert_equal ['connected', nil], [changed.state, changed.error]
    assert_equal %w[accounts completed], [refresh.product, refresh.state]
    assert_equal true, transactions.has_history
  end

  def test_unknown_and_null_in_events
    unknown = event('unknown-values')
    assert_equal %w[paused bank_on_holiday], [unknown.state, unknown.error]
    assert_nil event('unknown-event')
    null = event('null-fields')
    assert_empty [null.link_tags, null.has_history, null.webhook_major_version].compact
  end
end
