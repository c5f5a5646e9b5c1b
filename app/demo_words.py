"""The words that demo data is made of."""

# fmt: off
# Shown, and in plain letters as an address needs them.
FIRST = (
    "Ada", "Björn", "Chidi", "Dörte", "Élise", "Farid", "Grace", "Hiroko", "Inès", "Jānis", "Kwame", "Lucía",
    "Mei", "Nils", "Olga", "Priya", "Quentin", "Rosa", "Søren", "Tomás",
)
PLAIN_FIRST = (
    "ada", "bjoern", "chidi", "doerte", "elise", "farid", "grace", "hiroko", "ines", "janis", "kwame", "lucia",
    "mei", "nils", "olga", "priya", "quentin", "rosa", "soren", "tomas",
)
LAST = (
    "Abe", "Brandt", "Curie", "Diallo", "Eco", "Fermi", "Gödel", "Hopper", "Ito", "Jansen", "Kovács",
    "Lovelace", "Moreau", "Noether", "Okafor", "Petrov", "Quist", "Rossi", "Sato", "Turing",
)
PLAIN_LAST = (
    "abe", "brandt", "curie", "diallo", "eco", "fermi", "goedel", "hopper", "ito", "jansen", "kovacs",
    "lovelace", "moreau", "noether", "okafor", "petrov", "quist", "rossi", "sato", "turing",
)

CITIES = (
    "Accra", "Bergen", "Chennai", "Dresden", "Evora", "Fukuoka", "Ghent", "Helsinki", "Izmir", "Jena", "Kyoto",
    "Lisbon", "Malmö", "Nantes", "Oslo", "Porto",
)
TOPICS = (
    "bridges", "tides", "typefaces", "bees", "old maps", "compilers", "choirs", "lighthouses", "bread",
    "night trains", "moss", "tea",
)
OPENINGS = (
    "Notes on", "A short history of", "What I learned about", "In praise of", "The trouble with", "A year with",
    "Letters about",
)
MATERIALS = (
    "brass", "oak", "linen", "copper", "walnut", "enamel", "leather", "glass", "steel", "birch", "wool",
    "ceramic",
)
STYLES = (
    "Plain", "Small", "Large", "Folding", "Danish", "Vintage", "Handmade", "Classic", "Round", "Tall",
)
# fmt: on

SENTENCES = (
    "It began with a walk along the river and a question that nobody could answer.",
    "Most of what is written about it was copied from one book, and that book was wrong.",
    "My neighbour has a whole shelf of them and lets me look on Sundays.",
    "You need patience, a good lamp and somebody to talk to.",
    "The pictures will follow when the film is developed.",
    "If you know more than I do, which is likely, write to me.",
)

SHELVES = {
    "Lamps": ("desk lamp", "floor lamp", "lantern"),
    "Chairs": ("armchair", "stool", "rocking chair"),
    "Tables": ("side table", "desk", "dining table"),
    "Kitchen": ("kettle", "cutting board", "pepper mill"),
    "Tableware": ("teapot", "soup bowl", "carafe"),
    "Linen": ("tablecloth", "blanket", "cushion"),
    "Paper": ("notebook", "letter pad", "sketchbook"),
    "Writing": ("fountain pen", "pencil case", "inkwell"),
    "Bags": ("satchel", "backpack", "tote bag"),
    "Clocks": ("wall clock", "alarm clock", "hourglass"),
    "Garden": ("watering can", "trowel", "birdhouse"),
    "Toys": ("spinning top", "train set", "puzzle"),
    "Music": ("metronome", "music stand", "tuning fork"),
    "Tools": ("hand drill", "folding rule", "plane"),
    "Bathroom": ("soap dish", "towel rail", "mirror"),
    "Travel": ("suitcase", "flask", "compass"),
    "Books": ("atlas", "field guide", "almanac"),
    "Storage": ("chest", "basket", "bottle rack"),
    "Candles": ("candlestick", "snuffer", "tea light holder"),
    "Outdoors": ("hammock", "picnic basket", "camp stove"),
}
"""Categories, and what they hold."""
