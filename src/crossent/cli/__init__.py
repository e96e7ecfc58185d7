def main():
    print("soon")
