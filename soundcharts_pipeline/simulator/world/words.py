"""The vocabulary that names, genres and credits are drawn from. Data only."""

# fmt: off
ARTIST_FIRST = (
    "Amber", "Arlo", "Astrid", "Blue", "Calla", "Cedar", "Cleo", "Cosmo", "Dahlia", "Dusk", "Echo", "Ember",
    "Fable", "Fern", "Halo", "Indigo", "Iris", "Jasper", "Juno", "Kit", "Lark", "Luna", "Mabel", "Marlowe",
    "Midnight", "Milo", "Neon", "Niko", "Nova", "Ocean", "Opal", "Orion", "Paloma", "Quinn", "Ravi", "Rosa",
    "Sable", "Saffron", "Silver", "Sol", "Tula", "Velvet", "Wren", "Yara", "Zadie",
)
ARTIST_SECOND = (
    "Adeyemi", "Alder", "Avenue", "Bloom", "Bravo", "Brooks", "Castillo", "Choir", "Club", "Crane", "Delgado",
    "Drive", "Falls", "Fields", "Flores", "Fox", "Grove", "Harbor", "Hart", "Haze", "Heights", "Jansen",
    "Kapoor", "Kingdom", "Lane", "Lindqvist", "Machine", "Marsh", "Mendez", "Motel", "Nakamura", "North",
    "Okafor", "Parade", "Park", "Reyes", "Rivers", "Rojas", "Sato", "Season", "Silva", "Society", "Stone",
    "Theory", "Torres", "Valentine", "Vega", "West", "Winter",
)
TITLE_FIRST = (
    "After", "All the", "Another", "Before", "Better", "Broken", "Burning", "Cold", "Crystal", "Dancing",
    "Dear", "Easy", "Electric", "Empty", "Every", "Falling", "Forever", "Golden", "Goodbye", "Half",
    "Heavy", "Hey", "Hollow", "I Miss the", "Last", "Little", "Lonely", "Lost", "Loud", "Lover's", "Magic",
    "Never", "No More", "One", "Paper", "Quiet", "Running", "Same Old", "Secret", "Slow", "Summer", "Sweet",
    "Ten", "Tokyo", "Under the", "Wild", "Your",
)
TITLE_SECOND = (
    "Angels", "Avenue", "Ballad", "Birds", "Body", "City", "Clouds", "Colors", "Daydream", "Diamonds",
    "Dreams", "Eyes", "Fever", "Fire", "Flowers", "Ghost", "Girl", "Gravity", "Hands", "Heart", "Hours",
    "Island", "Kids", "Letters", "Light", "Lullaby", "Mirror", "Money", "Moon", "Night", "Ocean", "Party",
    "Phone", "Rain", "Reasons", "River", "Roses", "Shadows", "Silence", "Skyline", "Smoke", "Snow", "Stars",
    "Storm", "Sugar", "Sunday", "Tears", "Thunder", "Tonight", "Water", "Weekend", "Yesterday",
)
PEOPLE_FIRST = ("Ana", "Ben", "Carla", "Dev", "Elif", "Finn", "Grace", "Hugo", "Ines", "Jon", "Kaya", "Leo")
PEOPLE_LAST = ("Abbott", "Berg", "Costa", "Diaz", "Eriksen", "Ford", "Garcia", "Huang", "Ito", "Jones", "Khan")
LABELS = (
    ("Northlight Records", "Major"), ("Parlour Music", "Major"), ("Meridian", "Major"),
    ("Small Hours", "Independent"), ("Kite Recordings", "Independent"), ("Bedroom Floor", "Independent"),
    ("Tall Grass", "Independent"), ("Cassette Club", "Independent"), ("Self Released", "Independent"),
)
DISTRIBUTORS = ("Northlight", "Meridian", "OpenGate", "TuneFerry")
GENRES: dict[str, tuple[str, ...]] = {
    "pop": ("electropop", "dance pop", "indie pop", "synth pop"),
    "hip-hop": ("trap", "drill", "boom bap", "melodic rap"),
    "electronic": ("house", "techno", "drum and bass", "ambient"),
    "rock": ("indie rock", "classic rock", "garage rock"),
    "latin": ("reggaeton", "bachata", "regional mexican"),
    "r&b": ("neo soul", "alternative r&b"),
    "alternative": ("alternative pop", "dream pop", "shoegaze"),
    "country": ("country pop", "americana"),
    "african": ("afrobeats", "amapiano"),
    "asian": ("k-pop", "j-pop", "bollywood"),
    "jazz": (),
    "classical": (),
}
LANGUAGES = ("en", "es", "pt", "de", "fr", "hi", "ko", "it", "tr")
CAREER_STAGES = ("superstar", "mainstream", "mid_level", "developing", "long_tail")
GROWTH_LEVELS = ("explosive_growth", "high_growth", "average_growth", "low_growth", "decline")
# fmt: on
